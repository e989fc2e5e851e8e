"""The consumer behind GET /events/NAME: it opens a connection, learns of its end, and closes it."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from channels.generic.http import AsyncHttpConsumer

from streams.delivery.connection import Connection, Headers, Resume
from streams.errors import CloseReason, InvalidName
from streams.http.cors import cors_headers
from streams.pod import Worker
from streams.transport.writers import Send, open_writer
from streams.wire.events import valid_name
from streams.wire.timestamps import now_iso

log = logging.getLogger("sse.sse")

Receive = Callable[[], Awaitable[dict[str, Any]]]

PATH_PREFIX = "/events/"
# For clients that asked for a status: when to come back.
RETRY_AFTER_SECONDS = (1, 5)
ALLOW = b"GET, HEAD, OPTIONS"
# All that this consumer reads of a request's head.
STREAM_REQUEST_HEADERS = (b"origin", b"prefer", b"last-event-id", b"user-agent")
MAX_USER_AGENT = 200
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

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request until its client or this pod ends it."""
        self.base_send = send
        method, name = scope["method"], scope["path"].removeprefix(PATH_PREFIX)
        cors = self._cors(scope)
        if method == "OPTIONS":
            await self._answer(204, b"", [*cors, (b"Allow", ALLOW)])
            return
        if method not in ("GET", "HEAD"):
            await self._refuse(405, f"Method {method} is not allowed here; use GET.", [*cors, (b"Allow", ALLOW)])
            return
        try:
            valid_name(name)
        except InvalidName as error:
            await self._refuse(400, str(error), cors)
            return
        headers = [*STREAM_HEADERS, *cors]
        if method == "HEAD":
            await self._answer(200, b"", headers)
            return
        try:
            resume = wanted_resume(scope)
        except ValueError:
            await self._refuse(400, "since must be a number of seconds, 0 or more.", cors)
            return
        address = client_address(scope)
        refusal = self._worker.refusal(address)
        if refusal is not None and prefers_status(scope):
            sentence = f"This pod takes no streams now ({refusal})."
            retry_after = (b"Retry-After", str(random.randint(*RETRY_AFTER_SECONDS)).encode())
            await self._refuse(503, sentence, [*cors, retry_after])
            return
        writer = open_writer(send, current_task(), self._worker.socket_options)
        connection = Connection(name, writer, address, resume, client_user_agent(scope))
        if refusal is None:
            self._worker.registry.open(connection, headers)
        else:
            self._worker.registry.refuse(connection, headers, refusal)
        # What is not let go here lives as long as this coroutine, which is as long as the stream.
        del scope, send, writer, cors, headers, self.base_send
        await self._hold(connection, receive)

    async def _hold(self, connection: Connection, receive: Receive) -> None:
        registry = self._worker.registry
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            # The server is stopping, unless this pod itself cut the connection.
            if connection.close_reason is None:
                registry.close(connection, CloseReason.SERVER_STOPPED)
                raise
        finally:
            registry.close(connection, CloseReason.CLIENT_CLOSED)

    def _cors(self, scope: dict[str, Any]) -> Headers:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None:
            return []
        allowed = self._worker.conf.cors_allowed_origins
        headers = cors_headers(origin.decode("latin-1"), allowed, preflight=scope["method"] == "OPTIONS")
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def _refuse(self, status: int, sentence: str, headers: Headers) -> None:
        body = msgspec.json.encode({"success": False, "error": sentence, "timestamp": now_iso()})
        await self._answer(status, body, [(b"Content-Type", b"application/json"), *headers])

    async def _answer(self, status: int, body: bytes, headers: Headers) -> None:
        length = [] if status in (200, 204) else [(b"Content-Length", str(len(body)).encode())]
        await self.send_headers(status=status, headers=[*headers, *length])
        await self.send_body(body)


def current_task() -> asyncio.Task[Any]:
    """Return the task that serves this request."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("A consumer runs in a task of its server.")
    return task


def wanted_resume(scope: dict[str, Any]) -> Resume | None:
    """Return where a client that comes back wants to go on, or None for live events only.

    The header, which a browser's EventSource sends, wins over the query, which is for
    clients that cannot set headers. Raises ValueError for a `since` that is no duration.
    """
    header = next((value for name, value in scope["headers"] if name == b"last-event-id"), None)
    if header:
        return Resume(header.decode("latin-1"), None)
    if not scope["query_string"]:
        return None
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if last_event_id := query.get("lastEventId"):
        return Resume(last_event_id[-1], None)
    if since := query.get("since"):
        seconds = float(since[-1])
        if not 0 <= seconds < math.inf:
            raise ValueError(since[-1])
        return Resume(None, seconds)
    return None


def prefers_status(scope: dict[str, Any]) -> bool:
    """Say whether the client asked for status codes, with `Prefer: status`, because it survives them."""
    return any(name == b"prefer" and b"status" in value.lower() for name, value in scope["headers"])


def client_address(scope: dict[str, Any]) -> str:
    """Return the peer's address and port, or an empty string where the server knows none."""
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""


def client_user_agent(scope: dict[str, Any]) -> str:
    """Return what the client calls itself, cut to MAX_USER_AGENT characters; nothing where it does not say."""
    value: bytes = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    # Thousands of devices call themselves the same: interned, all of them share one string.
    return sys.intern(value[:MAX_USER_AGENT].decode("latin-1"))
