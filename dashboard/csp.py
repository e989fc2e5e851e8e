"""The Content-Security-Policy of every page: own files only, nothing inline.

django-csp is built on Django's MiddlewareMixin, which hops to a thread and back for
each request; a header needs neither.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware

HEADER = "Content-Security-Policy"
DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(**changes: str) -> str:
    """Write the policy, with other sources for single directives: `connect_src="*"`."""
    directives = {**DIRECTIVES, **{name.replace("_", "-"): sources for name, sources in changes.items()}}
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


POLICY = policy()


@async_only_middleware
def ContentSecurityPolicyMiddleware(  # noqa: N802 - a name that settings.MIDDLEWARE reads like the others
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Set the policy on each answer that has none of its own."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        response.headers.setdefault(HEADER, POLICY)
        return response

    return middleware
