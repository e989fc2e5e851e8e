"""Reading requests: what a client sends is bounded in bytes and in time before anything serves it.

Import this module after daphne.server, which decides how Twisted is loaded.
"""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec
from daphne.http_protocol import WebRequest
from twisted.web.http import HTTPChannel

from streams.consumers import PATH_PREFIX, STREAM_REQUEST_HEADERS
from streams.times import now_iso
from streams.views import MAX_REGISTER_BYTES

STREAM_PATH = PATH_PREFIX.encode()
# From the moment at which a connection may send a request until all of it is there.
REQUEST_SECONDS = 20
# How long the rest of a refused request is read, and dropped.
LINGER_SECONDS = 5
# No path takes more than MAX_REGISTER_BYTES. Its view says so with all that belongs to an
# answer; this is where reading ends, with room for the framing of a body sent in chunks.
MAX_BODY_BYTES = 2 * MAX_REGISTER_BYTES


class StreamRequest(WebRequest):
    """A request, with a short way for those that ask for a stream.

    Daphne validates, copies and decodes every header of a request for applications that
    it knows nothing of. The stream's is known: it reads a few headers and no body.
    """

    def process(self) -> Any:
        """Start the application for a request whose head and body are there."""
        if not self.path.startswith(STREAM_PATH) or not self.path.isascii() or not self.uri.isascii():
            return super().process()
        self.client_addr = [self.client.host, self.client.port]
        path, _mark, query = self.uri.partition(b"?")
        scope = {
            "type": "http",
            "http_version": self.clientproto[-3:].decode(),
            "method": self.method.decode(),
            "path": unquote(path.decode()),
            "query_string": query,
            "headers": self._stream_headers(),
            "client": self.client_addr,
        }
        self.application_queue = self.server.create_application(self, scope)
        return None

    def _stream_headers(self) -> list[tuple[bytes, bytes]]:
        headers = self.requestHeaders
        return [(name, value) for name in STREAM_REQUEST_HEADERS for value in headers.getRawHeaders(name, ())]


class RequestReader(HTTPChannel):
    """One client's connection while it sends requests.

    Twisted itself bounds the head: 500 headers, 16 KiB. It keeps a body of any size,
    and gives a connection a minute more for each byte.
    """

    _body_bytes = 0

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin with a request of our own kind; Daphne's factory has just set its own."""
        self.requestFactory = StreamRequest
        super().connectionMade()

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's name
        """Do nothing: the time is for the whole of a request."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what was read, unless the client has reset the connection since it sent it."""
        # uvloop tells of an error on a socket once and then watches it no more. An error that came
        # together with data would be missed: https://github.com/MagicStack/uvloop/issues/552
        if self.transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abortConnection()
        else:
            super().dataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Look at what the head announces before its body is read."""
        # A server may ignore this (RFC 9110, section 7.8), and no other protocol is spoken here.
        self.requests[-1].requestHeaders.removeHeader(b"Upgrade")
        if self.length is not None and self.length > MAX_BODY_BYTES:
            self._refuse_body()
        else:
            super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count a body, whose length is not known beforehand where it comes in chunks."""
        if not self._handlingRequest:
            self._body_bytes += len(data)
            if self._body_bytes > MAX_BODY_BYTES:
                self._refuse_body()
                return
        super().rawDataReceived(data)

    def allContentReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Hand a whole request over."""
        self._body_bytes = 0
        super().allContentReceived()

    def _refuse_body(self) -> None:
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is over {MAX_REGISTER_BYTES} bytes.")

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name
        self._refuse(
            HTTPStatus.BAD_REQUEST, "The request cannot be understood: it breaks HTTP or its head is too long."
        )

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        body = msgspec.json.encode({"success": False, "error": sentence, "timestamp": now_iso()})
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (status, status.phrase.encode(), len(body), body)
        )
        # Closing on a client that still sends would reset the connection, and the reset
        # would overtake the answer. So only this direction ends, and the other is dropped.
        for receive in ("dataReceived", "lineReceived", "rawDataReceived"):
            setattr(self, receive, _drop)
        self.transport.loseWriteConnection()
        self.setTimeout(LINGER_SECONDS)


def _drop(_data: Any) -> None:
    pass
