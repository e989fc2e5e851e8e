"""A reader of requests on a transport that keeps what is written; a real one is in tests/e2e/http."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from streams.http.stream_request import STREAM_REQUEST_HEADERS
from streams.server.http_channel import RequestReader
from streams.server.idle import Idle
from tests.support.http import Answer, parse_answer


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
    headers_read: tuple[bytes, ...] = STREAM_REQUEST_HEADERS

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


def made_reader(server: Server) -> RequestReader:
    reader = RequestReader()
    reader.factory, reader.timeOut = server, None
    reader.makeConnection(Transport(IPv4Address("TCP", "10.0.0.5", 3000), IPv4Address("TCP", "10.0.0.7", 5000)))
    return reader


def answer_of(reader: RequestReader) -> Answer:
    return parse_answer(reader.transport.value())
