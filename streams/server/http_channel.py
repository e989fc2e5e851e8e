"""Reading requests: what a client sends is bounded in bytes and in time before anything serves it.

Import this module after daphne.server, which decides how Twisted is loaded.
"""

from __future__ import annotations

import socket
import time
from http import HTTPStatus
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from streams.server.heads import MAX_STREAM_HEAD_BYTES, STREAM_HEAD, plain_headers
from streams.server.refusals import BROKEN, HEAD_TOO_LARGE, LINE_TOO_LONG, announces_too_much, body_bound, refusal
from streams.server.request import Request
from streams.transport.daphne_writer import DISCARDED

# From the moment at which a connection may send a request until all of it is there.
REQUEST_SECONDS = 20
# For how long a connection may be idle after an answer. Load balancers keep theirs for up to 600 s
# and take one for a request in the very moment in which a server with less patience closes it.
KEEP_ALIVE_SECONDS = 620
# How long the rest of a refused request is read, and dropped.
LINGER_SECONDS = 5
TOO_SLOW = f"The request did not come within {REQUEST_SECONDS} s."


class RequestReader(HTTPChannel):
    """One client's connection while it sends requests.

    Twisted bounds the head: 500 headers, 16 KiB. It keeps a body of any size, and gives a minute more for each byte.
    """

    requestFactory = Request  # noqa: N815 - Twisted's name
    timeOut: float | None = REQUEST_SECONDS  # noqa: N815 - Twisted's name
    _body_bytes = 0
    # Whether nothing was read yet.
    _fresh = True
    # Whether it waits for a request after an answer.
    _idle = False
    _refused = False

    def __init__(self, peer: Any = None) -> None:
        super().__init__()
        self._peer = peer

    def getPeer(self) -> Any:  # noqa: N802 - Twisted's name
        """Return the client's address, which was known when it was accepted."""
        return self._peer or self.transport.getPeer()

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Count the connection, and read the request, which is there by now in most cases."""
        # As Twisted does, without asking each transport what it is.
        self.setTimeout(self.timeOut)
        self._networkProducer = self.transport
        self.transport.registerProducer(self, True)
        self._read_at_once()
        self.factory.server.idle.opened()

    def _read_at_once(self) -> None:
        try:
            data = self.transport.getHandle().recv(MAX_STREAM_HEAD_BYTES)
        except OSError:
            # There is nothing yet; an end is told again.
            return
        if data:
            self.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Make room for another connection."""
        self.factory.server.idle.closed()
        super().connectionLost(reason)

    def cut(self) -> None:
        """Close the connection now; Twisted's own ways give its descriptor back on the next turn of the loop."""
        self.transport.stopReading()
        self.transport.stopWriting()
        self.transport.connectionLost(Failure(ConnectionAborted()))

    def has_unread(self) -> bool:
        """Say whether something has come that was not read yet."""
        try:
            return bool(self.transport.getHandle().recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def setTimeout(self, period: float | None) -> float | None:  # noqa: N802 - Twisted's name
        """Note when the time for a request is over, or that there is no limit; return the period before.

        Twisted makes a timer for each connection, which a stream needs for a moment only.
        """
        before, self.timeOut = self.timeOut, period
        if period is None:
            self.factory.server.idle.forget(self)
        else:
            self.factory.server.idle.wait(self, time.monotonic() + period)
        return before

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's name
        """Do nothing: the time is for the whole of a request."""

    def timeoutConnection(self) -> None:  # noqa: N802 - Twisted's name
        """End a connection whose time is over, with an answer if a part of a request came."""
        if not self._refused and (self._buffer or self._in_head()):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW)
        else:
            super().timeoutConnection()

    def requestDone(self, request: Any) -> None:  # noqa: N802 - Twisted's name
        """Go on with the next request, or wait for it longer than for one that has begun.

        Who does not take the last answer holds the connection no longer than others.
        """
        super().requestDone(request)
        if not self.persistent:
            # The bytes that a stream leaves behind are the outbox' to watch.
            if self._dataBuffer is not DISCARDED:
                self.setTimeout(REQUEST_SECONDS)
        elif not self.requests and not self._buffer:
            self._idle = True
            self.setTimeout(KEEP_ALIVE_SECONDS)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what was read, unless the client has reset the connection since it sent it."""
        if self._idle:
            self._idle = False
            self.setTimeout(REQUEST_SECONDS)
        # What it asked for is nobody's any more, and would evict the stream that it has opened since.
        if self.transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abortConnection()
        elif not self._fresh or not self._opens_stream(data):
            self._fresh = False
            super().dataReceived(data)

    def _opens_stream(self, data: bytes) -> bool:
        """Serve a plain head that asks for a stream; say whether it was one.

        Twisted reads a head line by line into objects of its own, which is a sixth of what
        a connect costs, and a stream reads next to nothing of it.
        """
        head = STREAM_HEAD.fullmatch(data) if len(data) <= MAX_STREAM_HEAD_BYTES else None
        if head is None:
            return False
        headers = plain_headers(head[2], self.factory.server.headers_read)
        if headers is None:
            return False
        self._fresh = False
        request = self.requestFactory(self, len(self.requests))
        request.method, request.clientproto = b"GET", b"HTTP/1.1"
        request.uri = request.path = head[1]
        # What Twisted does before it hands a request over.
        self.requests.append(request)
        self._savedTimeOut = self.setTimeout(None)
        self._handlingRequest = True
        self.setRawMode()
        request.open_stream(headers)
        return True

    def allHeadersReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Look at what the head announces before its body is read."""
        # A server may ignore this (RFC 9110, section 7.8), and no other protocol is spoken here.
        self.requests[-1].requestHeaders.removeHeader(b"Upgrade")
        if self.length is not None and self.length > body_bound(self._target).max_bytes:
            self._refuse_body()
        else:
            super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count a body, whose length is not known beforehand where it comes in chunks."""
        if not self._handlingRequest:
            self._body_bytes += len(data)
            if self._body_bytes > body_bound(self._target).max_bytes:
                self._refuse_body()
                return
        super().rawDataReceived(data)

    def allContentReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Hand a whole request over."""
        self._body_bytes = 0
        super().allContentReceived()

    def _refuse_body(self) -> None:
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, body_bound(self._target).sentence)

    @property
    def _target(self) -> bytes:
        """The path and the query of the request whose head or body is being read, or nothing yet."""
        if hasattr(self, "_path"):
            return bytes(self._path)
        return bytes(self.requests[-1].uri) if self.requests else b""

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802 - Twisted's name
        """Take a header, unless it announces more than anybody can send."""
        if announces_too_much(line):
            self._refuse_body()
            return False
        taken: bool = super().headerReceived(line)
        return taken

    def lineLengthExceeded(self, _line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Refuse a head of which one line alone is too long."""
        self._refuse_head()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name
        if self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders:
            self._refuse_head()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, BROKEN)

    def _refuse_head(self) -> None:
        if self._in_head():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HEAD_TOO_LARGE)
        else:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, LINE_TOO_LONG)

    def _in_head(self) -> bool:
        """Say whether a request line was read of a request that is not there as a whole."""
        return hasattr(self, "_command")

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self._refused = True
        self.transport.write(refusal(status, sentence, self._target))
        # Closing on a client that still sends would reset the connection, and the reset
        # would overtake the answer. So only this direction ends, and the other is dropped.
        for receive in ("dataReceived", "lineReceived", "rawDataReceived"):
            setattr(self, receive, _drop)
        self.transport.loseWriteConnection()
        self.setTimeout(LINGER_SECONDS)


def _drop(_data: Any) -> None:
    pass
