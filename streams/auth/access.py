"""Who may look at /admin and the API, and who may act there: anybody in development, operators in production."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest

from streams.conf import StreamSettings

SCHEME = "bearer "
SIGN_IN = "Sign in at /admin/login/, or send the header Authorization: Bearer with ADMIN_TOKEN's value."
READS_ONLY = "You may look at everything here and change nothing. A superuser can let you act, at /admin/auth/user/."
NO_OPERATOR = (
    "The front door says that you are {!a}, and no active staff user has this name here. "
    "A superuser can add one, at /admin/auth/user/."
)


class Caller(NamedTuple):
    """Who asks, as a log names him, whether his browser tells of him by itself, and what he may."""

    name: str
    has_session: bool = False
    may_read: bool = True
    may_act: bool = True


class Denied(NamedTuple):
    """Why somebody may not do something: a status and a sentence for him."""

    status: HTTPStatus
    sentence: str


ANYBODY = Caller("anybody")
TOKEN_HOLDER = Caller("ADMIN_TOKEN")


async def caller_of(authorization: str, find_user: Callable[[], Awaitable[Any]]) -> Caller | None:
    """Return who asks, or None for a stranger, by the header Authorization or by the user that his browser tells of.

    A user says with `may_act` that he does more than look, and with `told_name` that a front door has signed in
    somebody who is no user here.
    """
    conf: StreamSettings = settings.STREAMS
    if not conf.production:
        return ANYBODY
    if has_token(authorization, conf.admin_token):
        return TOKEN_HOLDER
    user = await find_user()
    if user.is_active and user.is_staff:
        return Caller(user.get_username(), has_session=True, may_act=user.may_act)
    told_name = getattr(user, "told_name", "")
    return Caller(told_name, has_session=True, may_read=False, may_act=False) if told_name else None


def denied(caller: Caller | None, *, acts: bool = False) -> Denied | None:
    """Say why somebody may not look, or with `acts` not change anything; None where he may."""
    if caller is None:
        return Denied(HTTPStatus.UNAUTHORIZED, SIGN_IN)
    if not caller.may_read:
        return Denied(HTTPStatus.FORBIDDEN, NO_OPERATOR.format(caller.name))
    return Denied(HTTPStatus.FORBIDDEN, READS_ONLY) if acts and not caller.may_act else None


async def who_asks(request: HttpRequest) -> Caller | None:
    """Return the staff user that a request comes from, or the script that holds ADMIN_TOKEN; None for a stranger."""
    return await caller_of(request.headers.get("Authorization", ""), request.auser)


def has_token(authorization: str, admin_token: str) -> bool:
    """Say whether an Authorization header holds the token, in the same time wherever they differ."""
    if not admin_token or authorization[: len(SCHEME)].lower() != SCHEME:
        return False
    return secrets.compare_digest(authorization[len(SCHEME) :].strip().encode(), admin_token.encode())
