"""The writer for Daphne over plain TCP, and what it knows of Daphne and Twisted.

It writes to the socket at once, where Twisted would first register the socket with
epoll and write on the next turn of the loop, which is half the cost of an event.
"""

from __future__ import annotations

import functools
from typing import Any

from streams.delivery.connection import Headers
from streams.transport.socket_options import SocketOptions, silent_seconds
from streams.wire.timestamps import http_date


class NoHeaders:
    """The headers of a request that has let them go."""

    def getRawHeaders(self, _name: bytes, default: Any = None) -> Any:  # noqa: N802 - Twisted's name
        """Return the default: there are none."""
        return default

    def hasHeader(self, _name: bytes) -> bool:  # noqa: N802 - Twisted's name
        """Return False: there are none."""
        return False


NO_HEADERS = NoHeaders()


class Discarded(list[bytes]):
    """Stands where Twisted keeps what a client sends during a stream, and keeps nothing.

    Twisted stops reading when it has kept 16 KiB, and would never see the client go.
    """

    def append(self, _data: bytes) -> None:
        """Drop what was sent: the connection ends with its stream, and no request follows."""


DISCARDED = Discarded()


class SocketWriter:
    """Writes to the socket of a Daphne request, and leaves to Twisted what the socket does not take."""

    __slots__ = ("_chunked", "_request", "_send", "_transport", "_waiting")

    # A socket refuses nothing: it is gone, and Twisted ends its request.
    failed = False

    def __init__(self, request: Any, options: SocketOptions) -> None:
        # Whether bytes may wait in Twisted: of an answer before this one, or what the socket did not take.
        self._waiting = True
        self._request = request
        self._transport = request.channel.transport
        stream = self._transport.getHandle()
        if not getattr(request.server, "socket_options_inherited", False):
            options.set_on(stream)
        self._send = stream.send
        # The head of the response goes as it is.
        self._chunked = False

    def start(self, headers: Headers, frame: bytes) -> None:
        """Send the head of the response and the first frame in one write.

        Twisted would keep the head until the next turn of the loop and walk its header
        objects to build it. It is left to believe that it did.
        """
        request = self._request
        # HTTP/1.0 has no chunks: there the end of the connection ends the response.
        chunked = request.clientproto == b"HTTP/1.1"
        request.startedWriting = 1
        request.chunked = int(chunked)
        request._response_started = True  # noqa: SLF001 - what Daphne's handle_reply sets
        let_go(request)
        lines = [b"%b: %b\r\n" % header for header in headers]
        lines.append(b"Date: %b\r\n" % http_date())
        if chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        # An empty chunk would be the end of the response.
        body = chunk(frame) if chunked and frame else frame
        self.write(b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (b"".join(lines), body))
        self._chunked = chunked

    def write(self, frame: bytes) -> int:
        """Write a frame; return the bytes that wait in this process."""
        # chunk(), without a call: each event comes this way.
        data = b"%x\r\n%b\r\n" % (len(frame), frame) if self._chunked else frame
        # Bytes that wait go first. Where none do, Twisted's objects are not even looked at:
        # of thousands of clients each is cold in the processor's cache.
        if self._waiting:
            self._waiting = self.backlog_bytes() > 0
        sent = 0
        if not self._waiting:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                # Twisted reads the same error from the socket and ends the request.
                return 0
            if sent == len(data):
                return 0
        if self._transport.connected:
            self._waiting = True
            self._transport.write(data[sent:])
        return self.backlog_bytes()

    def backlog_bytes(self) -> int:
        """Return the bytes that wait in this process."""
        transport = self._transport
        # Twisted keeps what waits in two places and offers no public sum of them.
        waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen  # noqa: SLF001
        return waiting

    def finish(self) -> None:
        """End the response, and the TCP connection with it: the client is to choose a pod anew."""
        request = self._request
        if request.channel is None or request.finished:
            return
        request.channel.persistent = False
        request.finish()

    def abort(self) -> None:
        """Reset the TCP connection and drop what waits."""
        if self._transport.connected:
            self._transport.abortConnection()

    def silent_seconds(self) -> float:
        """Return for how long bytes sent have gone without any acknowledgement, or 0."""
        try:
            return silent_seconds(self._transport.getHandle())
        except (AttributeError, OSError):
            # It has no socket any more.
            return 0.0


def chunk(frame: bytes) -> bytes:
    """Frame bytes as a chunk of an HTTP/1.1 response."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def request_behind(send: Any) -> Any:
    """Return Daphne's request behind an ASGI `send`, or None of another server.

    Daphne's send is functools.partial(Server.handle_reply, request).
    """
    request = send.args[0] if isinstance(send, functools.partial) and send.args else None
    return request if hasattr(request, "channel") else None


def daphne_request(send: Any) -> Any:
    """Return Daphne's request behind `send` if it is written over plain TCP, or else None.

    The class is compared by name, since importing Twisted costs other servers' pods megabytes; a
    TLS transport passes attributes through to the socket, so having them is no proof.
    """
    request = request_behind(send)
    transport: Any = getattr(getattr(request, "channel", None), "transport", None)
    return request if _is_plain_tcp(transport) else None


def _is_plain_tcp(transport: Any) -> bool:
    kind = type(transport)
    known = (kind.__module__, kind.__name__) == ("twisted.internet.tcp", "Server")
    return (known or getattr(kind, "is_plain_tcp", False)) and not transport.TLS


def let_go(request: Any) -> None:
    """Drop what a request that has become a stream no longer needs for the rest of its life."""
    request.requestHeaders = request.responseHeaders = NO_HEADERS
    request.clean_headers = None
    if request.content is not None:
        request.content.close()
    channel = request.channel
    if channel._dataBuffer:  # noqa: SLF001 - what came before this was known to be a stream
        channel.transport.resumeProducing()
    channel._dataBuffer = DISCARDED  # noqa: SLF001
