"""Who may look at /admin and the API, and who may act there: anybody in development, operators in production."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

from streams.auth.decision import NO_RIGHT, Decision
from streams.auth.results import Result
from streams.auth.rights import Holder, Right
from streams.conf import StreamSettings

SCHEME = "bearer "
SIGN_IN = (
    "Sign in at /admin/login/, or send the header Authorization: Bearer with ADMIN_TOKEN's value, or with a token that "
    "has the right."
)
NEEDS_RIGHT = "Send the header Authorization: Bearer with a token that has the right, or with ADMIN_TOKEN's value."
READS_ONLY = "You may look at everything here and change nothing. A superuser can let you act, at /admin/auth/user/."
NO_OPERATOR = (
    "The front door says that you are {!a}, and no active staff user has this name here. "
    "A superuser can add one, at /admin/auth/user/."
)
# RFC 6750, section 3.
BEARER = "Bearer"

# Decides who a request is from by the token in its headers; the query is looked at for one that must not be there.
Identify = Callable[[Iterable[tuple[bytes, bytes]], bytes], Decision]


class Caller(NamedTuple):
    """Who asks, as a log names him, whether his browser tells of him by itself, and what he may.

    `decision` is there where he sent a token, which may be one that says nothing of him.
    """

    name: str
    has_session: bool = False
    may_read: bool = True
    may_act: bool = True
    decision: Decision | None = None

    @property
    def holder(self) -> Holder | None:
        """Return what his token says, if he is known by one."""
        return self.decision.holder if self.decision is not None and self.decision.ok else None

    @property
    def has_header(self) -> bool:
        """Say whether he is known by what no browser sends by itself."""
        return self.holder is not None or self == TOKEN_HOLDER

    @property
    def account(self) -> str:
        """Return the name of what he may publish in a second; each token has its own."""
        holder = self.holder
        return self.name if holder is None or not holder.jti else _by_jti(holder)

    def may_publish(self, client_name: str) -> bool:
        """Say whether he may publish to a client."""
        return self.may_act or (self.holder is not None and self.holder.may(Right.PUBLISH, client_name))


class Denied(NamedTuple):
    """Why somebody may not do something: a status, a sentence for him, and what WWW-Authenticate says of it."""

    status: HTTPStatus
    sentence: str
    challenge: str = ""


STRANGER = Denied(HTTPStatus.UNAUTHORIZED, NEEDS_RIGHT, BEARER)
ANYBODY = Caller("anybody")
TOKEN_HOLDER = Caller("ADMIN_TOKEN")


async def caller_of(
    authorization: str, find_user: Callable[[], Awaitable[Any]], identify: Callable[[], Decision]
) -> Caller | None:
    """Return who asks, or None for a stranger; in development nobody has to say."""
    conf: StreamSettings = settings.STREAMS
    return await known_caller(authorization, find_user, identify) if conf.production else ANYBODY


async def publisher_of(
    authorization: str, find_user: Callable[[], Awaitable[Any]], identify: Callable[[], Decision]
) -> Caller | None:
    """Return who publishes, or None for a stranger whom PUBLISH_AUTH keeps out.

    Where it is off everybody may; who says who he is has events of his own to spend, and the role that he has.
    """
    conf: StreamSettings = settings.STREAMS
    if conf.publish_auth == "off" and not conf.production:
        return ANYBODY
    caller = await known_caller(authorization, find_user, identify)
    if conf.publish_auth == "required" or (caller is not None and caller.has_session):
        return caller
    return ANYBODY if caller is None or not caller.has_header else caller._replace(may_act=True)


async def known_caller(
    authorization: str, find_user: Callable[[], Awaitable[Any]], identify: Callable[[], Decision]
) -> Caller | None:
    """Return who asks, or None for a stranger, by the header Authorization or by the user that his browser tells of.

    A user says with `may_act` that he does more than look, and with `told_name` that a front door has signed in
    somebody who is no user here. A token that opens nothing makes a caller who may nothing.
    """
    conf: StreamSettings = settings.STREAMS
    if has_token(authorization, conf.admin_token):
        return TOKEN_HOLDER
    decision = identify()
    if decision.ok and decision.holder is not None:
        return token_caller(decision, decision.holder)
    user = await find_user()
    if user.is_active and user.is_staff:
        return Caller(user.get_username(), has_session=True, may_act=user.may_act)
    if told_name := getattr(user, "told_name", ""):
        return Caller(told_name, has_session=True, may_read=False, may_act=False)
    if decision.result is Result.NONE:
        return None
    return Caller("", may_read=False, may_act=False, decision=decision)


def token_caller(decision: Decision, holder: Holder) -> Caller:
    """Return the holder of a token, by a name that no user has and that no blank ends."""
    # Each names a caller's keys of requests: one's sub must not be another's jti.
    name = f"token:{quote(holder.sub, safe=':@')}" if holder.sub or not holder.jti else _by_jti(holder)
    return Caller(name, may_read=holder.may(Right.READ), may_act=holder.may(Right.ACT), decision=decision)


def _by_jti(holder: Holder) -> str:
    return f"jti:{quote(holder.jti, safe=':@')}"


def denied(caller: Caller | None, *, acts: bool = False) -> Denied | None:
    """Say why somebody may not look, or with `acts` not change anything; None where he may."""
    if refused := unknown(caller, SIGN_IN):
        return refused
    if caller is None or caller.may_act or (caller.may_read and not acts):
        return None
    if caller.holder is not None:
        return no_scope(NO_RIGHT[Right.ACT if acts else Right.READ])
    return Denied(HTTPStatus.FORBIDDEN, READS_ONLY if caller.may_read else NO_OPERATOR.format(caller.name))


def unknown(caller: Caller | None, how: str) -> Denied | None:
    """Say why it is not known who asks, and `how` he can say it; None where it is known."""
    if caller is None:
        return Denied(HTTPStatus.UNAUTHORIZED, how, BEARER)
    if caller.decision is None or caller.holder is not None:
        return None
    sentence = caller.decision.sentence
    if caller.decision.unsure:
        return Denied(HTTPStatus.SERVICE_UNAVAILABLE, sentence)
    error = "invalid_request" if caller.decision.malformed else "invalid_token"
    challenge = f'{BEARER} error="{error}", error_description="{sentence}"'
    return Denied(HTTPStatus.UNAUTHORIZED, f"{sentence} {how}", challenge)


def no_scope(sentence: str) -> Denied:
    """Deny what a good token gives no right to."""
    challenge = f'{BEARER} error="insufficient_scope", error_description="{sentence}"'
    return Denied(HTTPStatus.FORBIDDEN, sentence, challenge)


async def who_asks(request: HttpRequest, identify: Identify) -> Caller | None:
    """Return the staff user that a request comes from, or the script that holds a token; None for a stranger."""
    return await caller_of(*_presented(request, identify))


async def who_is_known(request: HttpRequest, identify: Identify) -> Caller | None:
    """Return the same where it was said that strangers are refused, in development too."""
    return await known_caller(*_presented(request, identify))


def _presented(
    request: HttpRequest, identify: Identify
) -> tuple[str, Callable[[], Awaitable[Any]], Callable[[], Decision]]:
    authorization = request.headers.get("Authorization", "")
    headers = [(b"authorization", authorization.encode("latin-1", "replace"))] if authorization else []
    query = request.META.get("QUERY_STRING", "").encode("latin-1", "replace")
    return authorization, request.auser, lambda: identify(headers, query)


def has_token(authorization: str, admin_token: str) -> bool:
    """Say whether an Authorization header holds the token, in the same time wherever they differ."""
    if not admin_token or authorization[: len(SCHEME)].lower() != SCHEME:
        return False
    return secrets.compare_digest(authorization[len(SCHEME) :].strip().encode(), admin_token.encode())
