"""Who is behind a request: the same answer on every pod, each of which may have a database of its own.

Where a front door that is trusted says who has signed in there, it is he; else a session says it.
The session is a cookie that SECRET_KEY signs. It names the user, as the number of a
user's row differs between two databases, and holds a digest of the stored password,
which passwords.py makes alike on all pods. A session that a pod cannot confirm is left
as it is: another pod may.
"""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from dashboard.login.ended import ended_logins
from dashboard.login.roles import may_act
from dashboard.login.threads import in_thread
from streams.http.proxies import SIGNED_IN

LOGIN_SESSION_KEY = "login"


class Login(NamedTuple):
    """What a session says of its login: whose it is, and an id of its own."""

    name: str
    login_id: str


def login_of(session: SessionBase) -> Login | None:
    """Read the login from a session; None where it has none that this version knows."""
    match session.get(LOGIN_SESSION_KEY):
        case [str(name), str(login_id)]:
            return Login(name, login_id)
    return None


class UnknownOperator(AnonymousUser):
    """Somebody whom a front door has signed in, and who is no operator here."""

    def __init__(self, told_name: str) -> None:
        super().__init__()
        self.told_name = told_name


async def told_operator(name: str) -> Any:
    """Return the staff user of a name that a front door tells, or UnknownOperator."""
    user = await in_thread("users", _find, name)
    return user if user is not None and user.is_staff else UnknownOperator(name)


async def operator_of(session: SessionBase) -> Any:
    """Return the user behind a session, or nobody: Django's AnonymousUser."""
    login = login_of(session)
    if login is None or await ended_logins.has(login.login_id):
        return AnonymousUser()
    user = await in_thread("users", _find, login.name)
    if user is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return AnonymousUser()
    return user


def _find(name: str) -> Any:
    user: Any = get_user_model().objects.filter(username=name, is_active=True).first()
    if user is not None:
        # Asked for here, as the event loop may not.
        user.may_act = may_act(user)
    return user


def told_name(request: HttpRequest) -> str:
    """Return whom a trusted front door says to have signed in, or nothing."""
    # Tests without a server have no scope.
    name: str = getattr(request, "scope", {}).get(SIGNED_IN, "")
    return name


def identify(request: HttpRequest) -> None:
    """Give a request with a session its user, looked up where somebody asks: as Django's own middleware does."""
    found: list[Any] = []

    async def auser() -> Any:
        if not found:
            name = told_name(request)
            found.append(await told_operator(name) if name else await operator_of(request.session))
        return found[0]

    request.auser = auser
    # For Django's own pages, which run in threads.
    user: Any = SimpleLazyObject(async_to_sync(auser))
    request.user = user


@receiver(user_logged_in)
def _begin(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    request.session[LOGIN_SESSION_KEY] = [user.get_username(), secrets.token_urlsafe(12)]


@receiver(user_logged_out)
async def _end(request: Any, **_: Any) -> None:
    if login := login_of(request.session):
        # For the page that says so.
        request.ended_on_all_pods = await ended_logins.add(login.login_id)
