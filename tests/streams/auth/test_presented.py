from __future__ import annotations

import pytest

from streams.auth.presented import (
    IN_QUERY,
    NO_BEARER,
    OTHER_SITE,
    TWO_COOKIES,
    TWO_HEADERS,
    Presented,
    Source,
    present,
)

Headers = list[tuple[bytes, bytes]]


def shown(headers: Headers, query: bytes = b"", cookie: str = "sse_token", *, origin_ok: bool = True) -> Presented:
    return present(headers, query, cookie, origin_ok=origin_ok)


def authorization(value: bytes) -> tuple[bytes, bytes]:
    return (b"authorization", value)


def test_present_nothing():
    assert shown([(b"accept", b"text/event-stream")], b"since=5") == Presented()


@pytest.mark.parametrize(
    "value", [b"Bearer a.b.c", b"bearer a.b.c", b"BEARER a.b.c", b" Bearer  a.b.c ", b"Bearer\ta.b.c"]
)
def test_present_bearer_in_any_case(value: bytes):
    assert shown([authorization(value)])[:2] == ("a.b.c", Source.HEADER)


@pytest.mark.parametrize(
    "value", [b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer a,b", b"Bearer a\xff", b"Bearer =", b'Bearer "a"']
)
def test_present_refuses_what_is_no_token(value: bytes):
    assert shown([authorization(value), (b"cookie", b"sse_token=x.y.z")]) == Presented(fault=NO_BEARER)


def test_present_refuses_two_headers_authorization():
    """Whoever is in front may have looked at the other one."""
    assert shown([authorization(b"Bearer a.b.c")] * 2) == Presented(fault=TWO_HEADERS)
    assert shown([authorization(b"Basic x"), authorization(b"Bearer a.b.c")]).fault == TWO_HEADERS


@pytest.mark.parametrize(
    "query", [b"token=a.b.c", b"access_token=", b"since=1&Token=a", b"%74oken=a", b"jwt", b"authorization=Bearer+a"]
)
def test_present_refuses_a_token_in_the_query(query: bytes):
    given = shown([authorization(b"Bearer a.b.c")], query)
    assert given == Presented(fault=IN_QUERY, in_query=True)


@pytest.mark.parametrize("query", [b"", b"tokens=1", b"since=token", b"a=1&resume=acked", b"ticket=1"])
def test_present_minds_no_other_query(query: bytes):
    assert shown([authorization(b"Bearer a.b.c")], query).token == "a.b.c"


def test_present_cookie():
    assert shown([(b"cookie", b"a=1; sse_token=x.y.z; b=2")])[:2] == ("x.y.z", Source.COOKIE)
    assert shown([(b"cookie", b'sse_token="x.y.z"')]).token == "x.y.z"
    assert shown([(b"cookie", b"SSE_TOKEN=x.y.z; xsse_token=1; sse_token=")]) == Presented()
    assert shown([(b"cookie", b"sse_token=x.y.z")], cookie="") == Presented()


def test_present_header_wins_over_the_cookie():
    cookie = (b"cookie", b"sse_token=x.y.z")
    assert shown([cookie, authorization(b"Bearer a.b.c")])[:2] == ("a.b.c", Source.HEADER)
    assert shown([authorization(b"Basic dTpw"), cookie])[:2] == ("x.y.z", Source.COOKIE)


def test_present_reads_no_cookie_for_a_page_of_another_site():
    assert shown([(b"cookie", b"sse_token=x.y.z")], origin_ok=False) == Presented(remark=OTHER_SITE)
    assert shown([(b"cookie", b"other=1")], origin_ok=False) == Presented()


def test_present_refuses_two_cookies_that_differ():
    """A page of a subdomain can add one for the whole domain."""
    assert shown([(b"cookie", b"sse_token=a.b.c; sse_token=x.y.z")]).fault == TWO_COOKIES
    assert shown([(b"cookie", b"sse_token=a.b.c"), (b"cookie", b"sse_token=x.y.z")]).fault == TWO_COOKIES
    assert shown([(b"cookie", b"sse_token=a.b.c; sse_token=a.b.c")]).token == "a.b.c"


def test_presented_never_shows_its_token():
    given = shown([authorization(b"Bearer a.b.c")])
    assert "a.b.c" not in f"{given} {given!r} {[given]}"
    assert "no token" in repr(Presented())
