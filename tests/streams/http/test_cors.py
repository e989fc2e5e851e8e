from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.http.cors import cors_headers, is_origin_of, may_change, may_open, may_use_cookie

SHOP = "https://shop.example"


def test_any_origin():
    assert cors_headers(SHOP, frozenset({"*"})) == {"Access-Control-Allow-Origin": "*"}


def test_a_listed_origin_is_named_and_caches_are_told():
    assert cors_headers(SHOP, frozenset({SHOP})) == {"Access-Control-Allow-Origin": SHOP, "Vary": "Origin"}


@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", SHOP + ".evil.example", "null", "*"])
def test_another_origin_gets_nothing_but_the_word_to_caches(origin: str):
    assert cors_headers(origin, frozenset({SHOP})) == {"Vary": "Origin"}


def test_none_allowed():
    assert cors_headers(SHOP, frozenset()) == {}


@pytest.mark.parametrize("allowed", [frozenset({"*"}), frozenset({SHOP})])
def test_a_preflight_is_told_methods_and_headers(allowed: frozenset[str]):
    headers = cors_headers(SHOP, allowed, preflight=True)
    assert {"GET", "POST"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
    assert {"Last-Event-ID", "Content-Type"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert int(headers["Access-Control-Max-Age"]) > 0


def test_a_preflight_from_elsewhere_is_told_nothing():
    assert "Access-Control-Allow-Methods" not in cors_headers("https://evil.example", frozenset({SHOP}), preflight=True)


def test_credentials_are_never_allowed():
    for allowed in (frozenset({"*"}), frozenset({SHOP})):
        assert "Access-Control-Allow-Credentials" not in cors_headers(SHOP, allowed, preflight=True)


HOST = "sse.example"
NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("origin", "site", "opens"),
    [
        # What is no page, and an old browser's own page.
        ("", "", True),
        ("https://sse.example", "", True),
        ("http://SSE.example", "", True),
        # Nobody can set Sec-Fetch-Site but the browser.
        ("", "same-origin", True),
        ("", "same-site", True),
        ("", "none", True),
        ("https://other.sse.example", "same-site", True),
        ("", "cross-site", False),
        ("https://evil.example", "cross-site", False),
        ("https://evil.example", "", False),
        ("https://sse.example", "cross-site", False),
        ("https://sse.example.evil.example", "", False),
        ("null", "", False),
        ("", "else", False),
        (SHOP, "cross-site", True),
        (SHOP, "", True),
    ],
)
def test_who_may_open_a_stream(origin: str, site: str, opens: bool):
    assert may_open(origin, site, HOST, frozenset({SHOP})) is opens


@pytest.mark.parametrize(("origin", "site"), [("https://evil.example", "cross-site"), ("null", ""), ("", "cross-site")])
def test_every_page_may_where_any_origin_is_allowed(origin: str, site: str):
    assert may_open(origin, site, HOST, frozenset({"*"}))
    assert not may_open(origin, site, HOST, NOBODY)


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("https://a", "a", True),
        ("https://a", "a:443", True),
        ("https://a:443", "a", True),
        ("http://a", "a:80", True),
        ("http://a:3000", "a:3000", True),
        ("http://[::1]:3000", "[::1]:3000", True),
        ("http://a:3000", "a", False),
        ("http://a", "a:443", False),
        ("https://b", "a", False),
        ("a", "a", False),
        ("ftp://a", "a", False),
        ("http://", "", False),
        ("http://[", "[", False),
        ("null", "null", False),
    ],
)
def test_is_origin_of_a_host(origin: str, host: str, own: bool):
    assert is_origin_of(origin, host) is own


@given(st.text(), st.text(), st.text())
def test_who_may_open_is_always_known(origin: str, site: str, host: str):
    assert may_open(origin, site, host, NOBODY) in (True, False)


@pytest.mark.parametrize(
    ("origin", "site", "with_session", "without"),
    [
        ("", "", False, True),
        ("", "same-origin", True, True),
        ("", "same-site", False, False),
        ("", "none", False, False),
        ("", "cross-site", False, False),
        ("https://sse.example", "", True, True),
        ("https://evil.example", "", False, False),
        ("null", "", False, False),
        ("https://sse.example", "cross-site", False, False),
        ("https://front.example", "cross-site", True, True),
    ],
)
def test_may_change(origin: str, site: str, with_session: bool, without: bool):
    """A page of this site, or one that is trusted; without a session also what is no page."""
    trusted = ["https://front.example"]
    assert may_change(origin, site, "sse.example", trusted, has_session=True) is with_session
    assert may_change(origin, site, "sse.example", trusted, has_session=False) is without


@pytest.mark.parametrize(
    ("origin", "site", "may"),
    [
        ("", "", True),
        ("", "same-origin", True),
        ("", "none", True),
        ("https://sse.example", "", True),
        (SHOP, "cross-site", True),
        ("", "same-site", False),
        ("", "cross-site", False),
        ("https://evil.example", "", False),
        ("https://evil.sse.example", "same-site", False),
        ("null", "", False),
    ],
)
def test_cookie_is_for_the_same_origin_or_one_that_is_named(origin: str, site: str, may: bool):
    assert may_use_cookie(origin, site, HOST, frozenset({SHOP})) is may
    assert may_use_cookie(origin, site, HOST, frozenset({"*"})) is (may and origin != SHOP), "any page is no page"
