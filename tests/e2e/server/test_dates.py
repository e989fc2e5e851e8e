"""Every answer has a Date, once (RFC 9110, section 6.6.1)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest

from tests.support.http import Answer, exchange, open_stream, parse_answer
from tests.support.pods import STARTS, Pod

TARGETS = [
    *("/", "/health", "/metrics", "/register", "/nowhere", "/admin", "/admin/", "/favicon.ico", "/events/-bad"),
    *("/static/dashboard/icon.svg", "/admin/live?" + "a=1&" * 1500),
]


def assert_dated(date: str) -> None:
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 3
    assert date.endswith(" GMT")


@pytest.mark.parametrize("start", STARTS)
def test_every_answer_has_one_date(pods: Callable[[str], Pod], start: str):
    """The reader of the tests fails on a header that comes twice."""
    for target in TARGETS:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert_dated(pods(start).fetch(target, method=method).headers["date"])


@pytest.mark.parametrize("start", STARTS)
async def test_a_stream_has_one_date(pods: Callable[[str], Pod], start: str, client_name: str):
    async with await open_stream(pods(start).port, client_name) as stream:
        assert_dated(stream.headers["date"])
    async with await open_stream(pods(start).port, client_name, version="1.0") as stream:
        assert_dated(stream.headers["date"])


BROKEN = [
    b"x\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /\xe9 HTTP/1.1\r\n\r\n",
    b"GET /\xa0 HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET /" + b"x" * 17_000,
    b"GET / HTTP/1.1\r\nCookie: " + b"x" * 17_000,
    b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
]


@pytest.mark.parametrize("start", ["streamworker", "daphne"])
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: str(broken[:20]))
def test_what_cannot_be_served_has_a_date_too(pods: Callable[[str], Pod], start: str, broken: bytes):
    answer: Answer = parse_answer(exchange(pods(start).port, broken))
    assert 400 <= answer.status < 500
    assert_dated(answer.headers["date"])
    assert answer.json()["error"]
