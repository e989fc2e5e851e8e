"""Which pages of other origins may read the service's answers, and open streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware

METHODS = "GET, HEAD, POST, OPTIONS"
REQUEST_HEADERS = "Content-Type, Last-Event-ID, Cache-Control, Prefer, Authorization"
PREFLIGHT_SECONDS = 86400
# What a browser says of a page of this site, and of an address that a person typed. No page can
# set the header: https://www.w3.org/TR/fetch-metadata/
OWN_SITES = ("same-origin", "same-site", "none")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def cors_headers(origin: str, allowed: frozenset[str], *, preflight: bool = False) -> dict[str, str]:
    """Return the headers that let a page of `origin` read an answer; none if it may not.

    Credentials are never allowed, so that a page elsewhere cannot use an operator's session.
    """
    if not allowed:
        return {}
    if "*" in allowed:
        headers = {"Access-Control-Allow-Origin": "*"}
    elif origin in allowed:
        headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    else:
        # A cache must not give this answer to a page that may.
        return {"Vary": "Origin"}
    if preflight:
        headers["Access-Control-Allow-Methods"] = METHODS
        headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return headers


def may_open(origin: str, fetch_site: str, host: str, allowed: frozenset[str]) -> bool:
    """Say whether a page may open a stream, from the headers Origin, Sec-Fetch-Site and Host of its request.

    What is no page of a browser sends neither of the first two, and may. Reading is another matter.
    """
    if "*" in allowed or origin in allowed or fetch_site in OWN_SITES:
        return True
    if fetch_site:
        return False
    return not origin or is_origin_of(origin, host)


def may_use_cookie(origin: str, fetch_site: str, host: str, allowed: frozenset[str]) -> bool:
    """Say whether a page may use the cookie that its browser sends along: a page of this origin, or an allowed one.

    What is no page sends neither header, and may: it has its cookie from nobody but itself. `*` allows nobody.
    """
    if origin in allowed:
        return True
    if fetch_site:
        return fetch_site in ("same-origin", "none")
    return not origin or is_origin_of(origin, host)


def may_change(origin: str, fetch_site: str, host: str, trusted: Iterable[str], *, has_session: bool) -> bool:
    """Say whether what sends these headers may change something: a page of this site, or what is no page.

    A browser sends a session along whoever's page asks, so with one it has to say that it is a page of this site.
    """
    if origin in trusted:
        return True
    if fetch_site:
        return fetch_site == "same-origin"
    return is_origin_of(origin, host) if origin else not has_session


def is_origin_of(origin: str, host: str) -> bool:
    """Say whether an origin is that of a Host, with TLS or without: a proxy in front may end it."""
    try:
        scheme, place = urlsplit(origin.lower())[:2]
    except ValueError:
        return False
    port = DEFAULT_PORTS.get(scheme, "")
    return bool(port and place) and place.removesuffix(port) == host.lower().removesuffix(port)


@async_only_middleware
def CorsMiddleware(  # noqa: N802 - a name that settings.MIDDLEWARE reads like the others
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Answer preflights and mark the answers of the JSON paths."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        if not origin or request.path_info.startswith("/admin"):
            return await get_response(request)
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if preflight else await get_response(request)
        allowed = settings.STREAMS.cors_allowed_origins
        for name, value in cors_headers(origin, allowed, preflight=preflight).items():
            response[name] = value
        return response

    return middleware
