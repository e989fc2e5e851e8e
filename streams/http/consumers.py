"""The consumer behind GET /events/NAME: it opens a connection, learns of its end, and closes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from channels.generic.http import AsyncHttpConsumer

from streams.delivery.connection import Connection, Headers
from streams.errors import CloseReason
from streams.http.answers import FAILED, Refused, send_answer, send_error
from streams.http.cors import cors_headers, may_open
from streams.http.stream_request import ALLOW, StreamRequest, header_of
from streams.http.tokens.unlocking import PASSED, RETRY_AFTER_SECONDS, retry_after, unlock
from streams.locks.locks import Mode
from streams.pod import Pod
from streams.transport.writer import Send, open_writer

logger = logging.getLogger("sse.server")

Receive = Callable[[], Awaitable[dict[str, Any]]]

OTHER_SITE = "A page of another site may open no stream here; CORS_ALLOWED_ORIGINS names those that may."
STREAM_HEADERS: Headers = [
    (b"Content-Type", b"text/event-stream"),
    (b"Cache-Control", b"no-cache, no-transform"),
    (b"X-Accel-Buffering", b"no"),
]


class EventStreamConsumer(AsyncHttpConsumer):
    """One client's stream.

    Channels' own way through a consumer reads the next message only after the
    handler of the last has returned, so that a handler that streams never sees the
    disconnect; it also makes a thread hop for each message and a Redis subscription
    for each consumer. A stream needs none of it: frames are written by the router,
    and this task does nothing but wait for the end.
    """

    def __init__(self, pod: Pod) -> None:
        super().__init__()
        self._pod = pod

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request until its client or this pod ends it."""
        cors = self._cors(scope)
        if scope["method"] == "OPTIONS":
            await send_answer(send, 204, [*cors, ALLOW])
            return
        try:
            self._look_whose_page(scope)
            request = StreamRequest.parse(scope, self._pod.conf.history_seconds)
            passed = PASSED if self._pod.locks.streams is Mode.OFF else unlock(self._pod, scope, request)
            if scope["method"] == "HEAD":
                await send_answer(send, 200, [*STREAM_HEADERS, *cors])
                return
            refusal = passed.refusal or self._admit(request)
        except Refused as refused:
            await send_error(send, refused, cors)
            return
        except Exception:
            logger.exception("A request for a stream failed")
            await send_error(send, FAILED, cors)
            return
        connection = self._connection(request, send)
        connection.holder = passed.holder
        stream = self._serve(connection, refusal, [*STREAM_HEADERS, *cors], receive)
        # A coroutine's locals live as long as its stream, and a token is in the scope.
        del scope, send, cors, request, passed, connection
        await stream

    def _look_whose_page(self, scope: dict[str, Any]) -> None:
        """Refuse what a page of another site asks for, before it evicts anyone."""
        origin, site, host = (header_of(scope, name) for name in (b"origin", b"sec-fetch-site", b"host"))
        if not may_open(origin, site, host, self._pod.conf.cors_allowed_origins):
            raise Refused(403, OTHER_SITE)

    def _admit(self, request: StreamRequest) -> CloseReason | None:
        """Return None, or why no stream is taken in now where the stream itself is to say so."""
        refusal = self._pod.refusal(request.name, request.address)
        if refusal is not None and request.prefers_status:
            raise Refused(503, f"This pod takes no streams now ({refusal}).", [retry_after(RETRY_AFTER_SECONDS)])
        return refusal

    def _connection(self, request: StreamRequest, send: Send) -> Connection:
        writer = open_writer(send, current_task, self._pod.socket_options)
        return Connection(request.name, writer, request.address, request.resume, request.user_agent)

    async def _serve(
        self, connection: Connection, refusal: CloseReason | None, headers: Headers, receive: Receive
    ) -> None:
        """Open a connection, wait until its client is gone, and leave nothing of it, whatever happens."""
        registry = self._pod.registry
        try:
            if refusal is None:
                registry.open(connection, headers)
            else:
                registry.refuse(connection, headers, refusal)
            del headers
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if connection.writer.failed:
                registry.close(connection, CloseReason.FAILED)
            # The server is stopping, unless this pod itself cut the connection.
            if connection.close_reason is None:
                registry.close(connection, CloseReason.SERVER_STOPPED)
                raise
        except Exception:
            # Handled here, since a server could only begin another answer.
            registry.fail(connection)
            # Its end may have begun before, and not have come to the socket.
            connection.writer.abort()
        finally:
            registry.close(connection, CloseReason.CLIENT_CLOSED)

    def _cors(self, scope: dict[str, Any]) -> Headers:
        origin, allowed = header_of(scope, b"origin"), self._pod.conf.cors_allowed_origins
        headers = cors_headers(origin, allowed, preflight=scope["method"] == "OPTIONS") if origin else {}
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def current_task() -> asyncio.Task[Any]:
    """Return the task that serves this request."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("A consumer runs in a task of its server.")
    return task
