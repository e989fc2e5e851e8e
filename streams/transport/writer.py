"""How frames reach a client, and the writer that any ASGI server will do for.

Daphne over plain TCP has a faster one of its own; this is for everything else that
speaks ASGI, and for TLS and HTTP/2.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from streams.delivery.connection import Headers, Writer
from streams.transport.daphne_writer import SocketWriter, daphne_request
from streams.transport.socket_options import SocketOptions

logger = logging.getLogger("sse.sse")

Send = Callable[[dict[str, Any]], Awaitable[None]]


class SendWriter:
    """Writes through ASGI's send(), which waits where the server has backpressure."""

    __slots__ = ("_backlog_bytes", "_messages", "_request_task", "_send", "_task", "failed")

    def __init__(self, send: Send, request_task: asyncio.Task[Any]) -> None:
        self._send = send
        self._request_task = request_task
        self._messages: deque[dict[str, Any]] = deque()
        self._backlog_bytes = 0
        # One of this request, which it ends when it fails; all others of a pod are in its list.
        self._task: asyncio.Task[None] | None = None
        self.failed = False

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
        if self.failed:
            # A request that is cancelled twice cannot end as it wants.
            return
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
        if self.failed:
            self._drop()
            return
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
            logger.exception("The server refused a frame; the stream is closed")
            self._task = None
            self.abort()
            self.failed = True
        finally:
            self._task = None

    def _drop(self) -> None:
        self._messages.clear()
        self._backlog_bytes = 0


def open_writer(send: Send, request_task: Callable[[], asyncio.Task[Any]], options: SocketOptions) -> Writer:
    """Choose the writer for a response that has not begun.

    Cancelling the task that `request_task` returns ends the request, for servers that offer no nearer way.
    """
    request = daphne_request(send)
    return SendWriter(send, request_task()) if request is None else SocketWriter(request, options)
