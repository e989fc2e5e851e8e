"""Small HTTP clients for tests: one for whole answers, one for streams that stay open."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.event_stream import EventStreamParser, ServerSentEvent
from tests.support.leaks.watch import watch
from tests.support.sockets import reset_at_close

HOST = "127.0.0.1"
# Nothing that a test waits for takes this long unless it never comes.
PATIENCE_SECONDS = 20.0
# A time, as every answer and message writes it.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        assert self.headers.get("content-type", "").startswith("application/json"), f"not JSON: {self}"
        return json.loads(self.body)


def request_bytes(
    method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Write a request as it stands on the wire; nothing in it is escaped or checked."""
    watch.secrets.add_request(headers or {})
    lines = [f"{method} {target} HTTP/{version}", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers; a header that comes twice fails the test."""
    watch.search_head(head)
    status_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        assert name.lower() not in headers, f"header {name} came twice"
        headers[name.lower()] = value.strip()
    return int(status_line.split(" ")[1]), headers


class Dechunker:
    """Takes chunked framing off a body, given in any pieces (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self.ended = False
        self._buffer = b""

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        body = []
        while not self.ended:
            size_line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                break
            size = int(size_line.split(b";")[0], 16)
            if len(rest) < size + 2:
                break
            assert rest[size : size + 2] == b"\r\n", "a chunk does not end where its size says"
            body.append(rest[:size])
            self._buffer = rest[size + 2 :]
            self.ended = size == 0
        return b"".join(body)


def exchange(port: int, request: bytes, *, timeout: float = PATIENCE_SECONDS) -> bytes:
    """Send bytes, and return all that comes back until the server closes."""
    with socket.create_connection((HOST, port), timeout) as connection:
        connection.sendall(request)
        received = []
        while data := connection.recv(65536):
            received.append(data)
    return b"".join(received)


def fetch(
    port: int,
    target: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout: float = PATIENCE_SECONDS,
) -> Answer:
    """Make one request on a connection of its own, and return the whole answer."""
    request = request_bytes(method, target, {"Connection": "close", **(headers or {})}, body)
    return parse_answer(exchange(port, request, timeout=timeout))


def parse_answer(raw: bytes) -> Answer:
    """Parse what a server sent on one connection."""
    head, found, rest = raw.partition(b"\r\n\r\n")
    assert found, f"no HTTP answer: {raw[:200]!r}"
    status, fields = parse_head(head)
    if fields.get("transfer-encoding") == "chunked":
        rest = Dechunker().feed(rest)
    watch.search_body(rest)
    return Answer(status, fields, rest)


# Streams that no test has closed yet.
left_open: set[EventStream] = set()


class EventStream:
    """One open `GET /events/NAME`, read when the test asks for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        # Whether the response came to its end, as opposed to a connection that was cut.
        self.ended = False
        self.closed = False
        self.parser = EventStreamParser()
        self.connected: ServerSentEvent | None = None
        self._reader = reader
        self._writer = writer
        self._dechunker: Dechunker | None = None
        self._events: list[ServerSentEvent] = []
        left_open.add(self)

    async def read_head(self) -> None:
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.status, self.headers = parse_head(head)
        if self.headers.get("transfer-encoding") == "chunked":
            self._dechunker = Dechunker()

    async def next(self, timeout: float = PATIENCE_SECONDS) -> ServerSentEvent | None:
        """Return the next event, or None at the end of the stream."""
        async with asyncio.timeout(timeout):
            while not self._events and not self.closed:
                await self._read()
        return self._events.pop(0) if self._events else None

    async def next_json(self, timeout: float = PATIENCE_SECONDS) -> Any:
        """Return the JSON of the next event that `onmessage` would see; the end of the stream fails the test."""
        async with asyncio.timeout(timeout):
            while True:
                event = await self.next(timeout)
                assert event is not None, "the stream ended"
                if event.type == "message":
                    return event.json()

    async def until(self, event_id: str, timeout: float = PATIENCE_SECONDS) -> ServerSentEvent:
        """Read up to the event with this id; the end of the stream fails the test."""
        async with asyncio.timeout(timeout):
            while True:
                event = await self.next(timeout)
                assert event is not None, f"the stream ended before {event_id}"
                if event.last_event_id == event_id and event.type == "message":
                    return event

    async def rest(self, timeout: float = PATIENCE_SECONDS) -> list[ServerSentEvent]:
        """Return all events up to the end of the stream."""
        events = []
        async with asyncio.timeout(timeout):
            while (event := await self.next(timeout)) is not None:
                events.append(event)
        return events

    async def next_comment(self, timeout: float = PATIENCE_SECONDS) -> str:
        """Return the next comment; the end of the stream fails the test."""
        async with asyncio.timeout(timeout):
            while not self.parser.comments:
                assert not self.closed, "the stream ended"
                await self._read()
        return self.parser.comments.pop(0)

    async def _read(self) -> None:
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            self.ended = self._dechunker is None or self._dechunker.ended
            return
        body = data if self._dechunker is None else self._dechunker.feed(data)
        watch.search_body(body)
        self._events += self.parser.feed(body)
        if self._dechunker is not None and self._dechunker.ended:
            self.closed = self.ended = True

    async def close(self) -> None:
        """Close the client's end."""
        left_open.discard(self)
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            # The pod was first.
            return

    def reset(self) -> None:
        """End the connection the hard way: the pod sees a reset and not an end."""
        left_open.discard(self)
        connection = self._writer.get_extra_info("socket")
        reset_at_close(connection)
        self._writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def open_response(
    port: int, name: str, *, headers: Mapping[str, str] | None = None, version: str = "1.1", method: str = "GET"
) -> EventStream:
    """Ask for a client's stream and return once the headers are there, whatever they say."""
    reader, writer = await asyncio.open_connection(HOST, port, limit=2**22)
    stream = EventStream(reader, writer)
    try:
        writer.write(request_bytes(method, f"/events/{name}", headers, version=version))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stream.read_head()
    except BaseException:
        await stream.close()
        raise
    return stream


async def open_narrow(
    port: int, name: str, receive_buffer: int, *, headers: Mapping[str, str] | None = None
) -> EventStream:
    """Open a stream of which the client's side takes only so much ahead of the test; return once it is `connected`."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((HOST, port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=receive_buffer)
    stream = EventStream(reader, writer)
    writer.write(request_bytes("GET", f"/events/{name}", headers))
    await stream.read_head()
    stream.connected = await stream.next()
    assert stream.connected is not None, f"{name}: the stream ended before its first frame"
    return stream


async def open_stream(
    port: int, name: str, *, headers: Mapping[str, str] | None = None, version: str = "1.1"
) -> EventStream:
    """Open a client's stream and return once it has read `connected`."""
    stream = await open_response(port, name, headers=headers, version=version)
    try:
        assert stream.status == 200, f"{name}: status {stream.status}"
        stream.connected = await stream.next()
        assert stream.connected is not None, f"{name}: the stream ended before its first frame"
        assert stream.connected.json()["type"] == "connected", f"{name}: began with {stream.connected}"
    except BaseException:
        await stream.close()
        raise
    return stream


async def close_all(streams: Iterable[EventStream]) -> None:
    """Close many streams at once."""
    await asyncio.gather(*(stream.close() for stream in streams))
