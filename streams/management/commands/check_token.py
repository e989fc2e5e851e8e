"""Say in words what a pod with these settings would do with a token."""

from __future__ import annotations

import argparse
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError

from streams.auth.decision import identify, permit
from streams.auth.keys import KeySet, hmac_keys, read_keys
from streams.auth.presented import Presented
from streams.auth.results import BadKeys, Result
from streams.auth.revocations import Revocations
from streams.auth.rights import Holder, Right
from streams.auth.tokens import MAX_MOMENT, Verifier, rules_of
from streams.conf import StreamSettings
from streams.management.asking import client_name
from streams.management.explained import ExplainedCommand
from streams.wire.timestamps import iso

REFUSED_STATUS = 3
NO_KEYS = "There are no keys: set TOKEN_SECRET or TOKEN_KEYS, or name a file with --keys."
OF_URL = "The keys of TOKEN_JWKS_URL are not read here: save them and name the file with --keys."
# What is shown of a token that was refused, of its header and of its payload.
SHOWN = (("alg", "kid", "typ"), ("iss", "aud", "sub", "jti", "iat", "nbf", "exp", "sse"))
MAX_SHOWN_CHARACTERS = 200
UNTOLD = "Whether it was revoked is not looked at."


class Verdict(msgspec.Struct, rename="camel"):
    """What a pod would do, for a script."""

    result: Result
    sentence: str
    holder: Holder | None = None


class Command(ExplainedCommand):
    """Read one token from standard input, and judge it."""

    help = "Read a token from standard input, and say what a pod with these settings would do. The token is not shown."
    usage = "[--for NAME] [--keys FILE] [--json] [-h lists all options] < FILE"
    examples = """\
examples:
  manage.py make_token STORE001-LANE01 | manage.py check_token
  manage.py check_token --for STORE001-LANE01 < token      whether it opens this client's stream
  manage.py check_token --keys jwks.json --json < token

exit status: 0 a pod takes it, 1 there are no keys, 2 wrong arguments, 3 a pod refuses it
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take no token: all users of a machine see arguments."""
        parser.add_argument(
            "--for", dest="name", metavar="NAME", type=client_name, help="a client whose stream is asked for"
        )
        parser.add_argument("--keys", metavar="FILE", help="public keys as JWKS or PEM, beside those of the settings")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, name: str | None, keys: str | None, json: bool, **_options: Any) -> None:
        """Write the verdict; exit with 3 where it is a refusal."""
        conf: StreamSettings = settings.STREAMS
        token = sys.stdin.read().strip()
        now = time.time()
        verdict = judge(token, name, Verifier(load_keys(conf, keys), rules_of(conf)), now)
        if json:
            self.write_json(verdict)
        else:
            for line in told(verdict, token, name, conf, now):
                self.stdout.write(line)
        if verdict.result is not Result.OK:
            sys.exit(REFUSED_STATUS)


def load_keys(conf: StreamSettings, file: str | None) -> KeySet:
    """Return the keys of the settings and of a file."""
    keys = KeySet()
    try:
        if conf.token_secret:
            keys += hmac_keys(conf.token_secret)
        for path in filter(None, (conf.token_keys, file)):
            keys += read_keys(Path(path).read_text(encoding="utf-8"))
    except BadKeys as error:
        raise CommandError(str(error), returncode=1) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"The keys in {path} cannot be read: {reason}.", returncode=1) from None
    if not len(keys):
        raise CommandError(OF_URL if conf.token_jwks_url else NO_KEYS, returncode=1)
    return keys


def judge(token: str, name: str | None, verifier: Verifier, now: float) -> Verdict:
    """Decide as a pod decides about a stream, or about the token alone where no client is named."""
    decision = identify(Presented(token), verifier, Revocations(), now)
    if name is not None:
        decision = permit(decision, Right.SUBSCRIBE, name)
    holder = decision.holder
    over = holder is not None and now >= holder.expires_at + verifier.rules.leeway_seconds
    return Verdict(decision.result, decision.sentence or "A pod takes this token.", None if over else holder)


def told(verdict: Verdict, token: str, name: str | None, conf: StreamSettings, now: float) -> Iterator[str]:
    """Give the verdict in words."""
    ok = verdict.result is Result.OK
    yield verdict.sentence if ok else f"A pod refuses this token ({verdict.result}): {verdict.sentence}"
    if ok and name is not None:
        yield f"It opens the stream of {name}."
    if verdict.holder is not None:
        yield from described(verdict.holder, now)
    else:
        yield from ("It says of itself, and nothing of it is verified:", *(f"  {line}" for line in unverified(token)))
    if conf.stream_auth == "off":
        yield "STREAM_AUTH is off: streams need no token."
    elif conf.stream_auth == "observe" and not ok:
        yield "STREAM_AUTH is observe: the stream is opened, counted and logged."
    yield UNTOLD


def described(holder: Holder, now: float) -> Iterator[str]:
    """Say who a holder is, until when, and what the rights are."""
    yield f"  holder     {holder.sub or 'nobody by name (no sub)'}{f', jti {holder.jti}' if holder.jti else ''}"
    yield f"  until      {iso(holder.expires_at)}, {remaining(holder.expires_at - now)}"
    yield f"  subscribe  {', '.join(holder.subscribe) or 'to nothing'}"
    yield f"  publish    {to_whom(holder)}"
    yield f"  operator   {', '.join(sorted(holder.admin)) or 'no'}"


def unverified(token: str) -> Iterator[str]:
    """Give what the parts of a token hold that can be read, in characters that move no cursor."""
    for part, names in zip(token.split("."), SHOWN, strict=False):
        try:
            read = msgspec.json.decode(urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=dict[str, Any])
        except (ValueError, msgspec.MsgspecError, RecursionError):
            read = {}
        for name in names:
            if name in read:
                yield f"{name:9}  {ascii(read[name])[:MAX_SHOWN_CHARACTERS]}{moment(name, read[name])}"


def moment(name: str, value: Any) -> str:
    """Return the date that a claim of time means."""
    is_time = name in ("iat", "nbf", "exp") and isinstance(value, int | float) and 0 <= value <= MAX_MOMENT
    return f", which is {iso(value)}" if is_time else ""


def to_whom(holder: Holder) -> str:
    """Say to which clients a holder may publish."""
    return "to any client, by act" if Right.ACT in holder.admin else ", ".join(holder.publish) or "to nothing"


def remaining(seconds: float) -> str:
    """Say how long it is until a moment, or since."""
    unit, name = next(
        ((unit, name) for unit, name in ((86400, "d"), (3600, "h"), (60, "min")) if abs(seconds) >= 2 * unit), (1, "s")
    )
    count = round(abs(seconds) / unit)
    return f"{count} {name} from now" if seconds >= 0 else f"{count} {name} ago, within TOKEN_LEEWAY_SECONDS"
