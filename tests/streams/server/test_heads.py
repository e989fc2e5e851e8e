from __future__ import annotations

import pytest

from streams.http.stream_request import SECRET_HEADERS, headers_read
from streams.server.http_channel import RequestReader
from tests.streams.server.readers import Server

SECRETS = b"Authorization: Bearer a.b.c\r\nCookie: sse_token=d.e.f\r\n"
# One for the short way, and one that is Twisted's to read.
HEADS = [SECRETS, SECRETS + b"Prefer: x\r\n"]


@pytest.mark.parametrize("head", HEADS, ids=["plain", "Twisted's"])
@pytest.mark.parametrize("mode", ["off", "observe", "required"])
def test_tokens_are_read_where_they_are_looked_at_and_stay_nowhere(
    reader: RequestReader, server: Server, head: bytes, mode: str
):
    server.headers_read = headers_read(mode)
    reader.dataReceived(b"GET /events/A HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n" + head + b"\r\n")
    (scope,) = server.scopes
    read = [(name, value) for name, value in scope["headers"] if name in (*SECRET_HEADERS, b"accept")]
    given = [(b"authorization", b"Bearer a.b.c"), (b"cookie", b"sse_token=d.e.f"), (b"accept", b"text/event-stream")]
    assert sorted(read) == ([] if mode == "off" else sorted(given))
    (request,) = server.requests
    for name in SECRET_HEADERS:
        assert not request.requestHeaders.hasHeader(name)
    assert request.received_cookies == {}


def test_two_tokens_in_a_plain_head_are_both_read(reader: RequestReader, server: Server):
    """Which of them counts is not chosen here."""
    server.headers_read = headers_read("required")
    reader.dataReceived(b"GET /events/A HTTP/1.1\r\nHost: x\r\n" + b"Authorization: Bearer a\r\n" * 2 + b"\r\n")
    (scope,) = server.scopes
    assert [name for name, _value in scope["headers"]].count(b"authorization") == 2
