"""The reader of requests on a transport that keeps what is written; a real one is in tests/e2e/http."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from streams.errors import InvalidName
from streams.http.answers import BODY_TOO_LARGE, MAX_REGISTER_BYTES, SERVICE_FAILED
from streams.http.stream_request import STREAM_REQUEST_HEADERS
from streams.server.heads import PLAIN_HEADERS, STREAM_HEAD
from streams.server.http_channel import KEEP_ALIVE_SECONDS, MAX_BODY_BYTES, REQUEST_SECONDS, RequestReader
from streams.server.idle import Idle
from streams.wire.events import valid_name
from tests.support.http import Answer, parse_answer, request_bytes


class Socket:
    """What is asked of a socket before data is taken from it."""

    def __init__(self, waiting: bytes = b"") -> None:
        self.waiting = waiting

    def recv(self, _size: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting

    def getsockopt(self, *_option: int) -> int:
        return 0


class Transport(StringTransport):  # type: ignore[misc]
    """A client's connection, with Twisted's names."""

    aborted = False
    # What has come before the connection was taken.
    waiting = b""

    def getHandle(self) -> Socket:  # noqa: N802
        return Socket(self.waiting)

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True

    def loseWriteConnection(self) -> None:  # noqa: N802
        self.loseConnection()


class Server:
    """The server behind the reader, which keeps what it is asked to serve."""

    proxy_forwarded_address_header = None
    root_path = server_name = ""
    request_buffer_size = 8192

    def __init__(self) -> None:
        self.server = self
        self.idle: Idle[RequestReader] = Idle(10)
        self.scopes: list[dict[str, Any]] = []
        self.requests: list[Any] = []

    def protocol_connected(self, request: Any) -> None:
        self.requests.append(request)

    def protocol_disconnected(self, _request: Any) -> None:
        pass

    def create_application(self, _request: Any, scope: dict[str, Any]) -> Any:
        self.scopes.append(scope)
        return None

    def log_action(self, *_action: Any) -> None:
        pass

    def log(self, _request: Any) -> None:
        pass


@pytest.fixture
def server() -> Server:
    return Server()


def made_reader(server: Server) -> RequestReader:
    reader = RequestReader()
    reader.factory, reader.timeOut = server, None
    reader.makeConnection(Transport(IPv4Address("TCP", "10.0.0.5", 3000), IPv4Address("TCP", "10.0.0.7", 5000)))
    return reader


@pytest.fixture
def reader(server: Server) -> Iterator[RequestReader]:
    reader = made_reader(server)
    yield reader
    reader.connectionLost(Failure(ConnectionDone()))


def test_what_came_before_a_connection_was_taken_is_read_at_once(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Transport, "waiting", request_bytes("GET", "/events/STORE001-LANE01"))
    made_reader(server)
    assert [scope["path"] for scope in server.scopes] == ["/events/STORE001-LANE01"]


def answer_of(reader: RequestReader) -> Answer:
    return parse_answer(reader.transport.value())


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


def test_an_announced_body_that_is_too_large_is_refused_in_json(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("POST", "/register", {"Content-Length": str(MAX_BODY_BYTES + 1)}))
    answer = answer_of(reader)
    assert (answer.status, answer.json()["error"]) == (413, BODY_TOO_LARGE)
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert server.scopes == []


def test_a_body_in_chunks_is_refused_once_it_is_too_large(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("POST", "/register", {"Transfer-Encoding": "chunked"}))
    chunk = b"%x\r\n%b\r\n" % (MAX_REGISTER_BYTES, b" " * MAX_REGISTER_BYTES)
    reader.dataReceived(chunk)
    assert reader.transport.value() == b""
    reader.dataReceived(chunk + chunk)
    assert answer_of(reader).status == 413
    reader.dataReceived(b"more of it, which nobody reads")
    assert server.scopes == []


def test_a_request_that_breaks_http_is_refused_in_json(reader: RequestReader):
    reader.dataReceived(b"GET / HTTP/1.1\r\nno colon here\r\n\r\n")
    answer = answer_of(reader)
    assert answer.status == 400
    assert list(answer.json()) == ["success", "error", "timestamp"]


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


LONG = b"z" * 17_000
TOO_LONG = {
    "a line": (b"GET /health?" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "request line"),
    "a line without an end": (LONG, 414, "request line"),
    "a header": (b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: " + LONG + b"\r\n\r\n", 431, "16 KiB"),
    "a header without an end": (b"GET /health HTTP/1.1\r\nCookie: " + LONG, 431, "16 KiB"),
    "many headers": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 501 + b"\r\n", 431, "500 headers"),
    "a head": (b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 17, 431, "16 KiB"),
    "a length": (b"POST /register HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413, "65536"),
}


@pytest.mark.parametrize(("data", "status", "word"), TOO_LONG.values(), ids=TOO_LONG.keys())
@pytest.mark.parametrize("size", [1000, 20_000])
def test_what_is_too_long_is_refused_in_json(
    reader: RequestReader, server: Server, data: bytes, status: int, word: str, size: int
):
    for start in range(0, len(data), size):
        reader.dataReceived(data[start : start + size])
    answer = answer_of(reader)
    assert answer.status == status
    assert word in answer.json()["error"]
    assert answer.headers["date"]
    assert server.scopes == []


@pytest.mark.parametrize(
    "part",
    [b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\n", request_bytes("POST", "/register", {"Content-Length": "9"})],
)
def test_a_request_that_does_not_come_in_time_is_408_in_json(reader: RequestReader, part: bytes):
    reader.dataReceived(part)
    reader.timeoutConnection()
    answer = answer_of(reader)
    assert answer.status == 408
    assert "20 s" in answer.json()["error"]
    reader.transport.clear()
    reader.timeoutConnection()
    assert reader.transport.value() == b"", "the second time is the end"
    assert reader.transport.disconnecting


def test_a_connection_that_asks_for_nothing_ends_without_a_word(reader: RequestReader):
    reader.timeoutConnection()
    assert reader.transport.value() == b""
    assert reader.transport.disconnecting


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


def test_daphnes_own_answers_have_a_date(reader: RequestReader):
    reader.dataReceived(request_bytes("GET", "/a%20b?\xa0", {"Connection": "close"}))
    answer = answer_of(reader)
    assert (answer.status, bool(answer.headers["date"])) == (400, True)
    assert answer.json()["error"].endswith(".")


def test_an_application_that_fails_is_500_in_json(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("GET", "/health", {"Connection": "close"}))
    server.requests[0].handle_exception(RuntimeError("secret"))
    answer = answer_of(reader)
    assert (answer.status, answer.json()["error"]) == (500, SERVICE_FAILED)


def test_an_application_that_fails_in_its_answer_is_cut(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("GET", "/health", {"Connection": "close"}))
    request = server.requests[0]
    request.handle_reply({"type": "http.response.start", "status": 200, "headers": []})
    request.handle_reply({"type": "http.response.body", "body": b"half", "more_body": True})
    request.handle_exception(RuntimeError("secret"))
    assert reader.transport.aborted
    assert SERVICE_FAILED.encode() not in reader.transport.value()


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
