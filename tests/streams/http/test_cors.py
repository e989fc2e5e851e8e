from __future__ import annotations

import pytest

from streams.http.cors import cors_headers

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
