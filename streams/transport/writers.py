"""How frames reach a client's socket: two writers behind registry.Writer.

SocketWriter is for Daphne over plain TCP: it writes to the socket at once, where
Twisted would first register the socket with epoll and write on the next turn of
the loop, which is half the cost of an event. SendWriter is for everything else
that speaks ASGI, and for TLS and HTTP/2.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from streams.delivery.connection import Headers, Writer

log = logging.getLogger("sse.sse")

Send = Callable[[dict[str, Any]], Awaitable[None]]

# A client that stops reading may hide this much in the kernel, which doubles it for its
# own bookkeeping; the default would be megabytes.
SEND_BUFFER_BYTES = 32 * 1024


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

# Offsets into struct tcp_info of <linux/tcp.h>.
_TCP_INFO_BYTES = 64
_UNACKED_OFFSET = 24
_LAST_ACK_OFFSET = 56


class SocketOptions(NamedTuple):
    """How the kernel is to look after a stream's socket."""

    heartbeat_seconds: float
    dead_after_seconds: float

    def set_on(self, stream: socket.socket) -> None:
        """Bound the kernel's buffer, and let it notice a dead peer should the heartbeat not."""
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(self.heartbeat_seconds)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(self.dead_after_seconds / 3)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        # Later than the heartbeat's own check, which knows the reason and says it.
        timeout_ms = round(1000 * (self.heartbeat_seconds + self.dead_after_seconds))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


class SocketWriter:
    """Writes to the socket of a Daphne request, and leaves to Twisted what the socket does not take."""

    __slots__ = ("_chunked", "_request", "_send", "_transport", "_waiting")

    def __init__(self, request: Any, options: SocketOptions) -> None:
        # Whether bytes may wait in Twisted: of an answer before this one, or what the socket did not take.
        self._waiting = True
        self._request = request
        self._transport = request.channel.transport
        stream = self._transport.getHandle()
        if not getattr(request.server, "socket_options_inherited", False):
            options.set_on(stream)
        self._send = stream.send
        # HTTP/1.0 has no chunks: there the end of the connection ends the response.
        self._chunked = request.clientproto == b"HTTP/1.1"

    def start(self, headers: Headers, frame: bytes) -> None:
        """Send the head of the response and the first frame in one write.

        Twisted would keep the head until the next turn of the loop and walk its header
        objects to build it. It is left to believe that it did.
        """
        request = self._request
        request.startedWriting = 1
        request.chunked = int(self._chunked)
        request._response_started = True  # noqa: SLF001 - what Daphne's handle_reply sets
        let_go(request)
        lines = [b"%b: %b\r\n" % header for header in headers]
        if self._chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        # An empty chunk would be the end of the response.
        body = chunk(frame) if self._chunked and frame else frame
        self._write(b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (b"".join(lines), body))

    def write(self, frame: bytes) -> int:
        """Write a frame; return the bytes that wait in this process."""
        return self._write(chunk(frame) if self._chunked else frame)

    def _write(self, data: bytes) -> int:
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
            info = self._transport.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        except (AttributeError, OSError):
            return 0.0
        (unacked,) = struct.unpack_from("I", info, _UNACKED_OFFSET)
        (last_ack_ms,) = struct.unpack_from("I", info, _LAST_ACK_OFFSET)
        return last_ack_ms / 1000 if unacked else 0.0


def chunk(frame: bytes) -> bytes:
    """Frame bytes as a chunk of an HTTP/1.1 response."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)


class SendWriter:
    """Writes through ASGI's send(), which waits where the server has backpressure."""

    __slots__ = ("_backlog_bytes", "_messages", "_request_task", "_send", "_task")

    def __init__(self, send: Send, request_task: asyncio.Task[Any]) -> None:
        self._send = send
        self._request_task = request_task
        self._messages: deque[dict[str, Any]] = deque()
        self._backlog_bytes = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, headers: Headers, frame: bytes) -> None:
        """Queue the head of the response and the first frame."""
        self._queue({"type": "http.response.start", "status": 200, "headers": headers})
        # An empty body, too, makes the server send the head.
        self.write(frame)

    def write(self, frame: bytes) -> int:
        """Queue a frame; return the bytes that the server has not taken before it."""
        backlog_bytes = self._backlog_bytes
        self._backlog_bytes += len(frame)
        self._queue({"type": "http.response.body", "body": frame, "more_body": True})
        return backlog_bytes

    def backlog_bytes(self) -> int:
        """Return the bytes that the server has not taken."""
        return self._backlog_bytes

    def finish(self) -> None:
        """End the response after everything that was written."""
        self._queue({"type": "http.response.body", "body": b"", "more_body": False})

    def abort(self) -> None:
        """Drop what waits and end the request as far as ASGI lets an application do so."""
        self._drop()
        if self._task is not None:
            self._task.cancel()
        self._request_task.cancel()
        # A server that only closes waits for its client to take what is left, which this one never does.
        transport: Any = getattr(getattr(self._send, "__self__", None), "transport", None)
        if hasattr(transport, "abort"):
            transport.abort()

    def silent_seconds(self) -> float:
        """Return 0: ASGI shows no socket to ask."""
        return 0.0

    def _queue(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name="send-writer")

    async def _drain(self) -> None:
        try:
            while self._messages:
                message = self._messages.popleft()
                await self._send(message)
                self._backlog_bytes -= len(message.get("body", b""))
        except OSError:
            # ASGI 2.4: the client is gone; the server's disconnect event says so too.
            self._drop()
        except Exception:
            log.exception("The server refused a frame; nothing more is written to its client")
            self._drop()
        finally:
            self._task = None

    def _drop(self) -> None:
        self._messages.clear()
        self._backlog_bytes = 0


def open_writer(send: Send, request_task: asyncio.Task[Any], options: SocketOptions) -> Writer:
    """Choose the writer for a response that has not begun.

    Cancelling `request_task` ends the request, for servers that offer no nearer way.
    """
    request = daphne_request(send)
    return SendWriter(send, request_task) if request is None else SocketWriter(request, options)


def daphne_request(send: Send) -> Any:
    """Return Daphne's request behind `send` if it is written over plain TCP, or else None.

    Daphne's send is functools.partial(Server.handle_reply, request). The class is
    compared by name, since importing Twisted costs other servers' pods megabytes; a
    TLS transport passes attributes through to the socket, so having them is no proof.
    """
    if not isinstance(send, functools.partial) or not send.args:
        return None
    request = send.args[0]
    transport: Any = getattr(getattr(request, "channel", None), "transport", None)
    kind = type(transport)
    if (kind.__module__, kind.__name__) != ("twisted.internet.tcp", "Server") or transport.TLS:
        return None
    return request


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
