"""Any bytes, and any head, given to the reader of requests: served or refused, and nothing is logged or left."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.streams.server.readers import Server, made_reader
from tests.support.http import parse_answer

PLENTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)

WORDS = [
    *(b"GET", b"POST", b"HEAD", b"BREW", b"/events/A", b"/health", b"http://x/", b"*", b"?", b"%", b"=", b"1e9", b"-1"),
    *(b" ", b"\r\n", b"\n", b"\r", b"\0", b"\t", b":", b"_", b"\xe9", b"HTTP/1.1", b"HTTP/1.0"),
    *(b"9" * 5000, b"x" * 17_000, b"Host: x\r\n", b"Content-Length:", b"Transfer-Encoding: chunked\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: websocket\r\n"),
    *(b"Daphne-Root-Path: /x\r\n", b"Last-Event-ID: "),
]
NAMES = [b"Host", b"Origin", b"Cookie", b"Last-Event-ID", b"Content-Length", b"Expect", b"Upgrade", b"X-Odd"]
VALUES = st.binary(max_size=40) | st.integers(min_value=0).map(b"%d".__mod__) | st.just(b"9" * 5000)
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES) | st.binary(min_size=1, max_size=9), VALUES), max_size=8)


def assert_served_or_refused(head: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Fail the test unless a head is handed over or refused with an answer, at the latest when its time is over."""
    server = Server()
    reader = made_reader(server)
    caplog.clear()
    reader.dataReceived(head)
    if not server.scopes and not reader.transport.value():
        # The rest of it does not come.
        reader.timeoutConnection()
    said = reader.transport.value().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not server.scopes and (said or head.replace(b"\r\n", b"")):
        assert said
        while said:
            # A head may hold the next one, or its beginning.
            answer = parse_answer(said)
            assert 400 <= answer.status < 500, answer
            length = int(answer.headers["content-length"])
            assert json.loads(answer.body[:length])["error"]
            said = answer.body[length:]
    reader.connectionLost(Failure(ConnectionDone()))
    assert len(server.idle) == 0
    assert caplog.records == [], caplog.text


@PLENTY
@given(st.lists(st.sampled_from(WORDS) | st.binary(max_size=20), max_size=30).map(b"".join))
@example(b"POST /register HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
@example(b"GET /events/A HTTP/1.1\nHost: x\n\n")
def test_any_bytes_are_served_or_refused(caplog: pytest.LogCaptureFixture, head: bytes):
    assert_served_or_refused(head, caplog)


@PLENTY
@given(st.sampled_from([b"GET", b"POST", b"OPTIONS"]), st.sampled_from([b"/events/A?", b"/"]), st.binary(), HEADERS)
@example(b"GET", b"/events/A?", b"\x80", [(b"\r\n", b"9" * 5000)])
def test_any_head_is_served_or_refused(
    caplog: pytest.LogCaptureFixture, method: bytes, path: bytes, rest: bytes, headers: list[tuple[bytes, bytes]]
):
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    assert_served_or_refused(b"%b %b%b HTTP/1.1\r\n%b\r\n" % (method, path, rest, lines), caplog)
