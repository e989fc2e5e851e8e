"""The token that a request brings: in its header Authorization, or in a cookie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote_plus

SCHEME = b"bearer"
# What RFC 6750 calls a b64token; a JWT has fewer characters still.
TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
# Names under which other services take tokens in the query.
QUERY_NAMES = frozenset({"access_token", "auth", "authorization", "bearer", "id_token", "jwt", "token"})

IN_QUERY = (
    "A token in the address ends up in logs, histories and Referer headers: send it in the header "
    "Authorization: Bearer, or in the cookie."
)
TWO_HEADERS = "A request has one header Authorization, and this one has several."
NO_BEARER = "After Bearer in the header Authorization comes one token without blanks."
TWO_COOKIES = (
    "The request brings two cookies with one name and different tokens: delete those of another path or domain."
)
OTHER_SITE = "The cookie is not read for a page of another site: such a page sends the header Authorization: Bearer."


class Source(StrEnum):
    """Where a token was."""

    HEADER = "header"
    COOKIE = "cookie"


class Presented(NamedTuple):
    """A token, or none, or a `fault`: a sentence about what is wrong, which makes the request one to be refused.

    `remark` says why a cookie that came was not read; without a token it is the reason.
    """

    token: str = ""
    source: Source | None = None
    fault: str = ""
    in_query: bool = False
    remark: str = ""

    def __repr__(self) -> str:
        """Show all but the token."""
        return f"Presented({'a token' if self.token else 'no token'}, source={self.source}, fault={self.fault!r})"


def present(headers: Iterable[tuple[bytes, bytes]], query: bytes, cookie_name: str, *, origin_ok: bool) -> Presented:
    """Return what a request presents; the header wins over the cookie.

    `headers` are those of ASGI, with their names in small letters. `cookie_name` is empty where no cookie is read,
    and `origin_ok` says whether the page behind the request may use the cookie: the same origin or an allowed one.
    """
    if has_token(query):
        return Presented(fault=IN_QUERY, in_query=True)
    authorizations: list[bytes] = []
    cookies: list[bytes] = []
    for name, value in headers:
        if name == b"authorization":
            authorizations.append(value)
        elif name == b"cookie":
            cookies.append(value)
    if len(authorizations) > 1:
        return Presented(fault=TWO_HEADERS)
    if authorizations:
        scheme, _blank, credentials = authorizations[0].replace(b"\t", b" ").strip().partition(b" ")
        if scheme.lower() == SCHEME:
            return _from_header(credentials.strip())
    return _from_cookies(cookies, cookie_name.encode(), origin_ok=origin_ok) if cookie_name else Presented()


def has_token(query: bytes) -> bool:
    """Say whether a query names a token, whatever it holds."""
    return any(
        unquote_plus(part.partition(b"=")[0].decode("latin-1")).lower() in QUERY_NAMES for part in query.split(b"&")
    )


def _from_header(credentials: bytes) -> Presented:
    if TOKEN.fullmatch(credentials) is None:
        return Presented(fault=NO_BEARER)
    return Presented(credentials.decode("ascii"), Source.HEADER)


def _from_cookies(cookies: Iterable[bytes], cookie_name: bytes, *, origin_ok: bool) -> Presented:
    tokens = {token for cookie in cookies for token in _values(cookie, cookie_name)} - {b""}
    if not tokens:
        return Presented()
    if not origin_ok:
        return Presented(remark=OTHER_SITE)
    # A page of a subdomain can add a cookie, and must not choose who somebody is.
    if len(tokens) > 1:
        return Presented(fault=TWO_COOKIES)
    return Presented(tokens.pop().decode("latin-1"), Source.COOKIE)


def _values(cookie: bytes, cookie_name: bytes) -> Iterable[bytes]:
    for pair in cookie.split(b";"):
        name, _equals, value = pair.strip(b" \t").partition(b"=")
        if name == cookie_name:
            yield value.strip(b' \t"')
