"""Requests that are served: what is read of their heads, and how long their connections are kept."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.python.failure import Failure

from streams.errors import InvalidName
from streams.http.stream_request import STREAM_REQUEST_HEADERS
from streams.server.heads import PLAIN_HEADERS, STREAM_HEAD
from streams.server.http_channel import KEEP_ALIVE_SECONDS, REQUEST_SECONDS, RequestReader
from streams.wire.events import valid_name
from tests.streams.server.readers import Server, Transport, made_reader
from tests.support.http import request_bytes


def test_what_came_before_a_connection_was_taken_is_read_at_once(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Transport, "waiting", request_bytes("GET", "/events/STORE001-LANE01"))
    made_reader(server)
    assert [scope["path"] for scope in server.scopes] == ["/events/STORE001-LANE01"]


@given(st.text(max_size=140).filter(str.isascii))
@example("a")
@example("Z" * 128)
@example("Z" * 129)
@example("-a")
@example("a/b")
@example("a\n")
@example("")
def test_stream_head_takes_the_names_of_the_rule_and_no_others(name: str):
    head = STREAM_HEAD.fullmatch(f"GET /events/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    try:
        valid_name(name)
    except InvalidName:
        assert head is None
    else:
        assert head is not None
        assert head[1] == f"/events/{name}".encode()


def test_plain_headers_hold_all_that_a_stream_reads_but_prefer():
    assert set(STREAM_REQUEST_HEADERS) - PLAIN_HEADERS == {b"prefer"}


SHOP = b"Host: x\r\nOrigin: https://shop.example\r\nUser-Agent: Lane\r\n"
HEADS = {
    "plain": SHOP,
    "plain in other letters": b"host:x\r\nORIGIN:\t https://shop.example \r\nuser-agent:Lane\r\n",
    "with a header that the short way does not know": SHOP + b"X-Odd: 1\r\n",
    "with a header over two lines": SHOP + b"Cookie: a\r\n b\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_stream_is_the_same_however_its_head_is_read(reader: RequestReader, server: Server, head: bytes, pieces: int):
    request = b"GET /events/STORE001-LANE01 HTTP/1.1\r\n" + head + b"\r\n"
    for start in range(0, len(request), len(request) // pieces + 1):
        reader.dataReceived(request[start : start + len(request) // pieces + 1])
    (scope,) = server.scopes
    read = {name: value for name, value in scope.pop("headers") if name in STREAM_REQUEST_HEADERS}
    assert read == {b"host": b"x", b"origin": b"https://shop.example", b"user-agent": b"Lane"}
    assert scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/events/STORE001-LANE01",
        "query_string": b"",
        "client": ["10.0.0.7", 5000],
        "server": ["10.0.0.5", 3000],
    }
    assert len(server.idle) == 0, "a stream has no end of its own"


def test_a_stream_with_a_query_has_it_beside_its_path(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("GET", "/events/a%2Db?since=5&t=%31"))
    (scope,) = server.scopes
    assert (scope["path"], scope["query_string"]) == ("/events/a-b", b"since=5&t=%31")


@pytest.mark.parametrize(("value", "kept"), [("keep-alive", True), ("Close", False)])
def test_a_plain_head_says_whether_its_connection_is_kept(reader: RequestReader, value: str, kept: bool):
    """A stream that is refused leaves a connection that may serve further requests."""
    reader.dataReceived(request_bytes("GET", "/events/A", {"Connection": value}))
    assert bool(reader.persistent) is kept


def test_a_header_moves_no_root_path(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("GET", "/health", {"Daphne-Root-Path": "\xff"}))
    assert server.scopes[0]["root_path"] == ""
    assert b"daphne-root-path" not in dict(server.scopes[0]["headers"])


def test_a_stream_below_the_root_path_goes_the_short_way_too(reader: RequestReader, server: Server):
    server.root_path = "/sse"
    reader.dataReceived(request_bytes("GET", "/sse/events/a?since=5"))
    (scope,) = server.scopes
    assert (scope["path"], scope["query_string"]) == ("/sse/events/a", b"since=5")
    assert "raw_path" not in scope


def test_a_connection_is_kept_for_longer_after_an_answer(
    reader: RequestReader, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    reader.factory.timeOut = REQUEST_SECONDS
    reader.setTimeout(REQUEST_SECONDS)
    for _ in range(2):
        reader.dataReceived(request_bytes("GET", "/health")[:-2])
        assert server.idle.overdue(1000.0 + REQUEST_SECONDS) == [reader]
        reader.dataReceived(b"\r\n")
        assert len(server.idle) == 0
        server.requests[-1].basic_error(404, b"", "Nothing")
        assert server.idle.overdue(1000.0 + KEEP_ALIVE_SECONDS - 1) == []
        assert server.idle.overdue(1000.0 + KEEP_ALIVE_SECONDS) == [reader]
    reader.setTimeout(None)
    assert len(server.idle) == 0


def test_a_client_that_does_not_take_its_answer_holds_its_connection_no_longer_than_others(
    reader: RequestReader, server: Server
):
    reader.dataReceived(request_bytes("GET", "/metrics", {"Connection": "close"}))
    assert len(server.idle) == 0, "the request is under way"
    (request,) = server.requests
    request.basic_error(200, b"", "Something to read")
    assert len(server.idle) == 1
    reader.connectionLost(Failure(ConnectionDone()))
    assert len(server.idle) == 0


def test_cut_gives_the_descriptor_back_at_once(reader: RequestReader, server: Server):
    lost: list[Failure] = []
    reader.transport.stopReading = reader.transport.stopWriting = lambda: None
    reader.transport.connectionLost = lost.append
    reader.cut()
    (failure,) = lost
    assert failure.check(ConnectionAborted)
