"""The writer for Daphne's sockets on a stand-in for Twisted's transport; a real one is in tests/e2e."""

from __future__ import annotations

import functools
import io
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from streams.transport import daphne_writer
from streams.transport.daphne_writer import DISCARDED, NO_HEADERS, SocketWriter, daphne_request
from streams.transport.socket_options import SocketOptions
from streams.transport.writer import open_writer
from tests.support.sockets import connected_sockets

HEADERS = [(b"Content-Type", b"text/event-stream")]
OPTIONS = SocketOptions(30, 15)
DATE = b"Mon, 05 Jan 2026 12:00:00 GMT"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nDate: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % DATE


class Transport:
    """Twisted's end of a connection: what it is given waits until the test takes it."""

    TLS = False
    offset = 0

    def __init__(self, handle: socket.socket) -> None:
        self.connected = 1
        self.aborted = self.resumed = False
        self.dataBuffer = b""
        self._tempDataLen = 0
        self._handle: socket.socket | None = handle

    def getHandle(self) -> Any:  # noqa: N802 - Twisted's name
        return self._handle

    def write(self, data: bytes) -> None:
        self._tempDataLen += len(data)

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.aborted, self.connected = True, 0

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.resumed = True

    def take(self) -> None:
        """Let the socket take all that waits."""
        self._tempDataLen = 0


class Channel:
    """The connection of a request."""

    persistent = True

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._dataBuffer: list[bytes] = []


class Server:
    """Daphne's server."""

    socket_options_inherited = False


class Request:
    """Daphne's request."""

    def __init__(self, handle: socket.socket) -> None:
        self.channel: Channel | None = Channel(Transport(handle))
        self.clientproto = b"HTTP/1.1"
        self.server = Server()
        self.content = io.BytesIO()
        self.finished = 0

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture(autouse=True)
def same_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daphne_writer, "http_date", lambda: DATE)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with connected_sockets() as (stream, client):
        stream.setblocking(False)
        client.settimeout(5)
        yield stream, client


@pytest.fixture
def client(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    return ends[1]


@pytest.fixture
def request_(ends: tuple[socket.socket, socket.socket]) -> Request:
    return Request(ends[0])


@pytest.fixture
def transport(request_: Request) -> Transport:
    assert request_.channel is not None
    return request_.channel.transport


@pytest.fixture
def writer(request_: Request) -> SocketWriter:
    return SocketWriter(request_, OPTIONS)


def fill(writer: SocketWriter) -> int:
    """Write until the socket takes no more, and some of it waits; return how many bytes the socket took."""
    frame, written = b"x" * 65536, 0
    for _ in range(10_000):
        waiting = writer.write(frame)
        written += len(b"10000\r\n" + frame + b"\r\n")
        if waiting:
            return written - waiting
    raise AssertionError("the socket takes everything")


def read(client: socket.socket, size: int) -> None:
    """Read so many bytes."""
    while size:
        size -= len(client.recv(min(size, 2**20)))


def test_start_sends_the_head_and_the_first_frame_at_once(writer: SocketWriter, client: socket.socket):
    writer.start(HEADERS, b"data: 1\n\n")
    assert client.recv(65536) == HEAD + b"9\r\ndata: 1\n\n\r\n"
    assert writer.backlog_bytes() == 0


def test_start_without_a_frame_ends_no_response(writer: SocketWriter, client: socket.socket):
    writer.start(HEADERS, b"")
    assert client.recv(65536) == HEAD, "an empty chunk would be the end"


def test_start_without_chunks_for_http_1_0(request_: Request, client: socket.socket):
    request_.clientproto = b"HTTP/1.0"
    writer = SocketWriter(request_, OPTIONS)
    writer.start(HEADERS, b"data: 1\n\n")
    writer.write(b"data: 2\n\n")
    received = client.recv(65536)
    while not received.endswith(b"data: 2\n\n"):
        received += client.recv(65536)
    assert received == HEAD.replace(b"Transfer-Encoding: chunked\r\n", b"") + b"data: 1\n\ndata: 2\n\n"


def test_start_lets_go_of_what_a_stream_does_not_need(request_: Request, writer: SocketWriter, transport: Transport):
    channel: Any = request_.channel
    channel._dataBuffer = [b"pipelined"]
    writer.start(HEADERS, b"")
    state: Any = request_
    assert (state.startedWriting, state.chunked, state._response_started) == (1, 1, True)
    assert state.requestHeaders is state.responseHeaders is NO_HEADERS
    assert state.content.closed
    assert transport.resumed, "Twisted had stopped reading"
    channel._dataBuffer.append(b"more")
    assert channel._dataBuffer is DISCARDED
    assert list(DISCARDED) == []


def test_no_headers_has_none():
    assert NO_HEADERS.getRawHeaders(b"connection") is None
    assert NO_HEADERS.getRawHeaders(b"connection", ()) == ()
    assert not NO_HEADERS.hasHeader(b"connection")


def test_write_leaves_to_twisted_what_the_socket_does_not_take(writer: SocketWriter, transport: Transport):
    writer.start(HEADERS, b"")
    fill(writer)
    waiting = writer.backlog_bytes()
    assert waiting == transport._tempDataLen > 0
    # What comes later may not overtake what waits.
    assert writer.write(b"late") == waiting + len(b"4\r\nlate\r\n")


def test_write_goes_to_the_socket_again_once_nothing_waits(
    writer: SocketWriter, transport: Transport, client: socket.socket
):
    writer.start(HEADERS, b"")
    read(client, len(HEAD) + fill(writer))
    transport.take()
    assert writer.write(b"late") == 0
    assert client.recv(100) == b"4\r\nlate\r\n"


def test_write_to_a_client_that_is_gone_is_no_error(
    writer: SocketWriter, ends: tuple[socket.socket, socket.socket], transport: Transport
):
    writer.start(HEADERS, b"")
    ends[0].close()
    assert writer.write(b"late") == 0
    transport.connected = 0
    assert writer.write(b"late") == 0


def test_finish_ends_the_response_once(writer: SocketWriter, request_: Request):
    writer.finish()
    writer.finish()
    assert request_.finished == 1
    assert request_.channel is not None
    assert request_.channel.persistent is False, "the client is to choose a pod anew"


def test_finish_of_a_client_that_is_gone_does_nothing(writer: SocketWriter, request_: Request):
    request_.channel = None
    writer.finish()
    assert request_.finished == 0


def test_abort_resets_a_connection_that_is_there(writer: SocketWriter, transport: Transport):
    writer.abort()
    assert transport.aborted
    transport.aborted = False
    writer.abort()
    assert not transport.aborted


def test_silent_seconds_of_a_connection_that_is_gone_is_none(writer: SocketWriter, transport: Transport):
    assert writer.silent_seconds() == 0
    transport._handle = None
    assert writer.silent_seconds() == 0


@pytest.mark.parametrize("inherited", [True, False])
def test_options_are_set_where_the_listening_socket_has_not(
    request_: Request, ends: tuple[socket.socket, socket.socket], inherited: bool
):
    request_.server.socket_options_inherited = inherited
    SocketWriter(request_, OPTIONS)
    assert ends[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == int(not inherited)


def reply(_request: object, _message: object) -> None:
    """What Daphne binds to a request as its send()."""


# The class is told by its name and its module, so that Twisted need not be loaded.
TwistedTransport = type("Server", (Transport,), {"__module__": "twisted.internet.tcp"})


def test_daphne_request_is_found_behind_its_send(request_: Request, transport: Transport):
    transport.__class__ = TwistedTransport
    send = functools.partial(reply, request_)
    assert daphne_request(send) is request_
    task: Any = None
    assert isinstance(open_writer(send, lambda: task, OPTIONS), SocketWriter)  # type: ignore[arg-type]


def test_daphne_request_over_tls_is_none_of_ours(
    request_: Request, transport: Transport, monkeypatch: pytest.MonkeyPatch
):
    transport.__class__ = TwistedTransport
    monkeypatch.setattr(Transport, "TLS", True)
    assert daphne_request(functools.partial(reply, request_)) is None


def test_daphne_request_over_a_transport_of_our_server_is_found(request_: Request, transport: Transport):
    transport.__class__ = type("Transport", (Transport,), {"is_plain_tcp": True})
    assert daphne_request(functools.partial(reply, request_)) is request_


def test_daphne_request_of_another_server_is_none(request_: Request):
    assert daphne_request(reply) is None
    assert daphne_request(functools.partial(reply)) is None
    assert daphne_request(functools.partial(reply, object())) is None
    assert daphne_request(functools.partial(reply, request_)) is None, "its transport is not Twisted's"
