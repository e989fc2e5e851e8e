"""What the settings, the keys and the pods say of tokens, judged; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streams.auth.keys import KeySet
from streams.auth.results import BadToken
from streams.auth.rights import Holder
from streams.auth.tokens import Verifier
from streams.conf import StreamSettings
from streams.conf.tokens import ALGORITHMS, split_secrets
from streams.doctor.findings import Finding, bad, look, skipped, well
from streams.roster.lives import Heard
from streams.wire.timestamps import iso, unix_seconds

PAGE = "docs/howto/tokens.md"
RUNBOOK = "docs/operate/runbook.md"
# A good set is read every TOKEN_JWKS_SECONDS: the alert fires at as many.
STALE_REFRESHES = 3
# What two clocks that NTP sets differ by, and an issuer that rounds.
CLOCK_SECONDS = 2.0


class Source(NamedTuple):
    """Where keys were looked for, as its line names it: what there was, or why there was nothing, and how long it took.

    Nothing of a key is in it.
    """

    check: str
    variable: str
    keys: KeySet | None = None
    error: str = ""
    seconds: float | None = None


def judge_locks(conf: StreamSettings) -> Finding:
    """Judge what was said of who needs a token."""
    says = f"STREAM_AUTH is {conf.stream_auth}, PUBLISH_AUTH is {conf.publish_auth}"
    if not conf.production:
        return well("locks", says)
    if conf.stream_auth != "required":
        open_to_all = "observe, which stops nobody" if conf.stream_auth == "observe" else "off"
        remedy = (
            f"In production whoever reaches a pod reads any client's events (STREAM_AUTH is {open_to_all}): {PAGE}."
        )
        return look("locks", says, remedy)
    if conf.publish_auth != "required":
        return look("locks", says, f"In production whoever reaches a pod publishes through /api/v1: {PAGE}#publishing.")
    return well("locks", says)


def judge_secrets(conf: StreamSettings) -> Iterator[Finding]:
    """Judge the secrets, which the settings refuse where one is weak."""
    if secrets := split_secrets(conf.token_secret):
        shortest = min(len(secret.encode()) for secret in secrets)
        says = f"{_count(len(secrets), 'secret')} in TOKEN_SECRET, the shortest of {shortest} bytes"
        if len(set(secrets)) < len(secrets):
            yield look(
                "secrets", f"{says}; one stands there twice", f"A new one goes beside the old: {PAGE}#another-key."
            )
        else:
            yield well("secrets", says)


def judge_source(source: Source) -> Finding:
    """Judge a file or an address with public keys."""
    if source.keys is None:
        remedy = (
            f"Pods go on with the keys that they have; one that starts now has none of these: {RUNBOOK}#keys-are-old."
        )
        return bad(source.check, f"{source.variable}: {source.error.rstrip('.')}", remedy)
    took = "" if source.seconds is None else f", read in {1000 * source.seconds:.0f} ms"
    kinds = ", ".join(sorted(source.keys.algorithms))
    return well(source.check, f"{_count(len(source.keys), 'key')} in {source.variable} ({kinds}){took}")


def judge_algorithms(conf: StreamSettings, keys: KeySet) -> Iterator[Finding]:
    """Judge whether there is a key for an algorithm that is taken."""
    taken = conf.token_algorithms or ALGORITHMS
    if len(keys) and not keys.algorithms & set(taken):
        says = f"TOKEN_ALGORITHMS takes {', '.join(taken)}, and all keys are for {', '.join(sorted(keys.algorithms))}"
        yield bad(
            "algorithms", says, "No token is good: leave TOKEN_ALGORITHMS away, or let the issuer sign otherwise."
        )


def judge_pods(conf: StreamSettings, lives: Iterable[Heard], now: float) -> Iterator[Finding]:
    """Judge what the pods say at a moment by Redis' clock (Unix seconds): how old their keys are, and their clocks."""
    if not conf.has_token_keys:
        return
    alive = [heard for heard in lives if heard.alive]
    if conf.token_jwks_url:
        yield from _ages(alive, conf.token_jwks_seconds)
    ahead = {heard.says.pod_name: told - now + heard.silent_seconds for heard, told in _told(alive)}
    off = {name: seconds for name, seconds in ahead.items() if abs(seconds) > conf.token_leeway_seconds}
    if off:
        says = ", ".join(f"{name} is {seconds:+.1f} s" for name, seconds in sorted(off.items()))
        remedy = (
            "One that is behind refuses tokens that were just made, one that is ahead ends them early: look at NTP."
        )
        yield bad("token clock", f"{says} off from Redis', and pods forgive {conf.token_leeway_seconds:g} s", remedy)
    elif ahead:
        most = max(map(abs, ahead.values()))
        says = (
            f"pods are within {most:.1f} s of Redis' clock, and forgive {conf.token_leeway_seconds:g} s in iat and exp"
        )
        yield well("token clock", says)


def _ages(alive: list[Heard], seconds: float) -> Iterator[Finding]:
    ages = {
        heard.says.pod_name: heard.says.jwks_age_seconds + heard.silent_seconds
        for heard in alive
        if heard.says.jwks_age_seconds is not None
    }
    if not ages:
        return
    old = {name: age for name, age in ages.items() if age > STALE_REFRESHES * seconds}
    if old:
        says = ", ".join(f"{name} {age:,.0f} s ago" for name, age in sorted(old.items()))
        remedy = f"Look at the way from there to TOKEN_JWKS_URL: {RUNBOOK}#keys-are-old."
        yield look("jwks age", f"last good keys were read by {says}", remedy)
    else:
        yield well("jwks age", f"each pod has read good keys within {max(ages.values()):,.0f} s")


def _told(alive: list[Heard]) -> Iterator[tuple[Heard, float]]:
    for heard in alive:
        if (told := unix_seconds(heard.says.told_at)) is not None:
            yield heard, told


def judge_token(token: str, verifier: Verifier, now: float) -> Finding:
    """Judge a token that was given, at a moment of this machine's clock (Unix seconds); whether it was revoked is not
    looked at.
    """
    if not len(verifier.keys):
        return skipped("token", "there is no key here to verify it with")
    try:
        holder = verifier.verify(token, now)
    except BadToken as error:
        return bad("token", f"pods refuse it ({error.result}): {error.sentence}", f"check_token says more: {PAGE}.")
    ahead = holder.issued_at - now
    if ahead > CLOCK_SECONDS:
        says = f"it is issued {ahead:.0f} s from now, and pods forgive {verifier.rules.leeway_seconds:g} s"
        return look("token", says, "Look at NTP here and where it was made.")
    return well("token", f"it is good until {iso(holder.expires_at)}, {_issued(holder, now)}")


def _issued(holder: Holder, now: float) -> str:
    return f"and was issued {max(0.0, now - holder.issued_at):,.0f} s ago" if holder.issued_at else "and has no iat"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
