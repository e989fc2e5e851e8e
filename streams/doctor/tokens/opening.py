"""With which token, and under which name, a stream is opened to be looked at; pure.

It is never the name of a device: that would lose its own stream.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import NamedTuple

import msgspec

from streams.auth.keys import UNREADABLE
from streams.auth.rights import matches_any
from streams.auth.signing import can_sign, stream_token
from streams.conf import StreamSettings
from streams.wire.events import CLIENT_NAME

OWN_SECONDS = 60
CANNOT_SIGN = (
    "STREAM_AUTH is required, and there is no TOKEN_SECRET here to sign with: --token-file names a token for DOCTOR-*"
)
OF_DEVICES = "the token is for single clients, and a stream of theirs would end the device's: give one for DOCTOR-*"


class Opening(NamedTuple):
    """A name, and a token or an empty string; or why no stream can be opened."""

    name: str
    token: str = ""
    why_not: str = ""

    def __repr__(self) -> str:
        """Show all but the token."""
        return f"Opening({self.name!r}, {'a token' if self.token else 'no token'}, why_not={self.why_not!r})"


def choose_opening(conf: StreamSettings, given: str, own_name: str, now: float) -> Opening:
    """Choose; `given` is a token or an empty string, `own_name` a name that nobody has, and `now` Unix time."""
    if given:
        name = name_for(patterns_of(given), own_name)
        return Opening(name, given) if name else Opening(own_name, why_not=OF_DEVICES)
    if conf.stream_auth == "off":
        return Opening(own_name)
    if can_sign(conf):
        return Opening(own_name, stream_token(conf, own_name, sub=own_name, now=now, seconds=OWN_SECONDS))
    # Who observes lets it in all the same.
    return Opening(own_name, why_not=CANNOT_SIGN if conf.stream_auth == "required" else "")


def name_for(patterns: tuple[str, ...] | None, own_name: str) -> str:
    """Return a name that patterns stand for and no device has, or an empty string; None is what nobody can tell."""
    if patterns is None or matches_any(patterns, own_name):
        return own_name
    names = (pattern[:-1] + own_name for pattern in patterns if pattern.endswith("*"))
    return next((name for name in names if CLIENT_NAME.fullmatch(name)), "")


class _Sse(msgspec.Struct):
    subscribe: tuple[str, ...] = ()


class _Claims(msgspec.Struct):
    sub: str = ""
    sse: _Sse | None = None


def patterns_of(token: str) -> tuple[str, ...] | None:
    """Return for whom a token says that it is, which nothing has verified; None where it cannot be read."""
    parts = token.split(".")
    try:
        payload = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(payload, type=_Claims)
    except (IndexError, ValueError, *UNREADABLE):
        return None
    if claims.sse is None:
        # As pods read it: no pattern.
        return () if claims.sub.endswith("*") else (claims.sub,)
    return claims.sse.subscribe
