"""Django's own middleware, run on the event loop.

None of it waits for anything here: sessions and messages are in signed cookies. As
Django ships it, each hops to a thread before the view and again after it, which costs
more than most of the answers do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.deprecation import MiddlewareMixin

from dashboard.login.sessions import identify


class OnEventLoop(MiddlewareMixin):
    """Calls the two hooks of a middleware where Django would send each to a thread."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        before: Callable[..., Any] | None = getattr(self, "process_request", None)
        after: Callable[..., Any] | None = getattr(self, "process_response", None)
        response: HttpResponseBase | None = before(request) if before else None
        if response is None:
            response = await self.get_response(request)  # type: ignore[misc]
        return after(request, response) if after else response


class Security(OnEventLoop, SecurityMiddleware):
    """The headers of a careful site."""


class Session(OnEventLoop, SessionMiddleware):
    """The session, from its signed cookie."""


class Csrf(OnEventLoop, CsrfViewMiddleware):
    """Forms are taken from this service's own pages only."""

    async def process_view(self, *arguments: Any) -> HttpResponseBase | None:  # type: ignore[override]
        """Check a request before its view."""
        return super().process_view(*arguments)


class Authentication(OnEventLoop, AuthenticationMiddleware):
    """The user, looked up only where a page asks."""

    def process_request(self, request: HttpRequest) -> None:
        """Let the request know how to find its user."""
        identify(request)


class Message(OnEventLoop, MessageMiddleware):
    """What a page has to say once after a redirect."""


class XFrameOptions(OnEventLoop, XFrameOptionsMiddleware):
    """No other site puts a page of this one into a frame."""
