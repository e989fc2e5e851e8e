"""The endpoint that takes tokens back."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.api.calls import Answer, Call, Change
from streams.api.problems import Fault, Problem, ProblemKind, problem_of
from streams.audit import revoked
from streams.auth.revocations import Revocation
from streams.conf.tokens import TokenSettings
from streams.conf.variables import DAY_SECONDS
from streams.locks.revoking import revoke as revoke_everywhere
from streams.wire.timestamps import iso, unix_seconds

MAX_WORD = 256
# For tokens that say no end that this service knows.
USUAL_SECONDS = float(DAY_SECONDS)
MAX_SECONDS = 3660.0 * DAY_SECONDS
# Clocks differ, and whoever writes a moment means now.
AHEAD_SECONDS = 60.0
MOMENT = "Unix seconds, or a time in ISO 8601"

Word = Annotated[str, Meta(min_length=1, max_length=MAX_WORD, description=f"1 to {MAX_WORD} characters")]
Moment = Annotated[float | str, Meta(description=MOMENT, examples=["2026-01-05T12:00:00Z"])]


class Revoking(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """One token by its `jti`, or those of a `sub` that were issued before a moment, now if none is said.

    `until` is when the last of them has ended by itself: now and TOKEN_MAX_SECONDS, or 24 h, if it is not said.
    """

    jti: Word | msgspec.UnsetType = msgspec.UNSET
    sub: Word | msgspec.UnsetType = msgspec.UNSET
    issued_before: Moment | msgspec.UnsetType = msgspec.UNSET
    until: Moment | msgspec.UnsetType = msgspec.UNSET


class Revoked(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is revoked now; the moments are in ISO 8601."""

    until: str
    jti: str | None = None
    sub: str | None = None
    issued_before: str | None = None


async def revoke(call: Call) -> Answer:
    """POST /revocations."""
    revocation = revocation_of(call.body, call.pod.conf, time.time())
    async with call.pod.roster.client() as client:
        await revoke_everywhere(client, call.pod.conf.redis_channel, revocation)
    said = Revoked(iso(revocation.until), revocation.jti or None, revocation.sub or None)
    if revocation.sub:
        said.issued_before = iso(revocation.issued_before)
    return Answer(said, HTTPStatus.ACCEPTED, Change(revoked(revocation.jti, revocation.sub, said.issued_before or "")))


def revocation_of(asked: Revoking, conf: TokenSettings, now: float) -> Revocation:
    """Return what is to be revoked, at a moment in Unix time; raises Problem."""
    if (asked.jti is msgspec.UNSET) is (asked.sub is msgspec.UNSET):
        raise invalid("jti", "One of jti and sub must be given: jti is one token, sub all of one holder's.")
    until = _moment(asked.until, "until", now + (conf.token_max_seconds or USUAL_SECONDS))
    if not now < until <= now + MAX_SECONDS:
        raise invalid("until", f"until must be to come, and at most {MAX_SECONDS / DAY_SECONDS:g} days away.")
    if asked.jti is not msgspec.UNSET:
        if asked.issued_before is not msgspec.UNSET:
            raise invalid("issuedBefore", "issuedBefore goes with sub; a jti is one token.")
        return Revocation(until, jti=asked.jti)
    issued_before = _moment(asked.issued_before, "issuedBefore", now)
    # Nor can it be no number, which compares false with all.
    if not issued_before <= now + AHEAD_SECONDS:
        raise invalid("issuedBefore", "issuedBefore must not be to come: new tokens would open nothing.")
    return Revocation(until, sub=str(asked.sub), issued_before=issued_before)


def invalid(field: str, sentence: str) -> Problem:
    """Return the problem of a field that cannot be meant."""
    return problem_of(ProblemKind.INVALID_REQUEST, [Fault(f"/{field}", sentence)])


def _moment(said: float | str | msgspec.UnsetType, field: str, default: float) -> float:
    if said is msgspec.UNSET:
        return default
    found = unix_seconds(said) if isinstance(said, str) else said
    if found is None:
        raise invalid(field, f"{field} must be {MOMENT}.")
    return found
