"""Who may look at the paths under /admin and the API: anybody in development, operators in production."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest

from streams.conf import StreamSettings

SCHEME = "bearer "
SIGN_IN = "Sign in at /admin/login/, or send the header Authorization: Bearer with ADMIN_TOKEN's value."


class Caller(NamedTuple):
    """Who asks, as a log names him, and whether that is known by his session."""

    name: str
    has_session: bool = False


ANYBODY = Caller("anybody")
TOKEN_HOLDER = Caller("ADMIN_TOKEN")


async def caller_of(authorization: str, find_user: Callable[[], Awaitable[Any]]) -> Caller | None:
    """Return who asks, or None for a stranger, by the header Authorization or by the user of the session."""
    conf: StreamSettings = settings.STREAMS
    if not conf.production:
        return ANYBODY
    if has_token(authorization, conf.admin_token):
        return TOKEN_HOLDER
    user = await find_user()
    return Caller(user.get_username(), has_session=True) if user.is_active and user.is_staff else None


async def who_asks(request: HttpRequest) -> Caller | None:
    """Return the staff user that a request comes from, or the script that holds ADMIN_TOKEN; None for a stranger."""
    return await caller_of(request.headers.get("Authorization", ""), request.auser)


async def may_look(request: HttpRequest) -> bool:
    """Say whether a request comes from somebody who may look."""
    return await who_asks(request) is not None


def has_token(authorization: str, admin_token: str) -> bool:
    """Say whether an Authorization header holds the token, in the same time wherever they differ."""
    if not admin_token or authorization[: len(SCHEME)].lower() != SCHEME:
        return False
    return secrets.compare_digest(authorization[len(SCHEME) :].strip().encode(), admin_token.encode())
