"""How the tests enter the pure rooms: messages, a writer that keeps what it was given, and a few short ways in."""

from __future__ import annotations

import json
from typing import Any

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.coverage import Ingress
from streams.history.messages import History
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.events import Event, decode_event, payload_line
from streams.wire.frames import comment_frame, event_frame, message_frame
from tests.support.event_stream import ServerSentEvent, parse

MAX_EVENT_BYTES = 4096
MAX_BACKLOG_BYTES = 1000
STALL_SECONDS = 10.0
FRAME = comment_frame("x" * 96)
CHANNEL, JOURNAL = Ingress


class Recorder:
    """A registry.Writer whose client can be told to stop reading."""

    def __init__(self) -> None:
        self.headers: Any = None
        self.frames: list[bytes] = []
        self.reading = True
        self.waiting = 0
        self.finished = False
        self.aborted = False
        self.failed = False
        self.silent = 0.0

    def start(self, headers: Any, frame: bytes) -> None:
        assert self.headers is None, "a response begins once"
        self.headers = headers
        self.write(frame)

    def write(self, frame: bytes) -> int:
        assert not self.finished, "nothing comes after the end"
        self.frames.append(frame)
        if not self.reading:
            self.waiting += len(frame)
        return self.waiting

    def backlog_bytes(self) -> int:
        return self.waiting

    def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.aborted = True
        self.waiting = 0

    def silent_seconds(self) -> float:
        return self.silent

    @property
    def written(self) -> bytes:
        return b"".join(self.frames)

    @property
    def events(self) -> list[ServerSentEvent]:
        return parse(self.written)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    @property
    def ids(self) -> list[str]:
        return [event.last_event_id for event in self.events if event.last_event_id]


def unwritable(writer: Recorder, with_bytes: bytes = b"") -> None:
    """Let a writer raise for every frame that has these bytes in it."""
    write = writer.write

    def refuse(frame: bytes) -> int:
        if with_bytes in frame:
            raise OSError("the socket is gone")
        return write(frame)

    writer.write = refuse  # type: ignore[method-assign]


def message(name: str, event_id: object, **fields: Any) -> bytes:
    """Write an event as a publisher does."""
    return json.dumps({"clientName": name, "eventId": event_id, **fields}).encode()


def late(event_id: str, name: str = "a") -> bytes:
    """Write an event whose deadline has passed."""
    return message(name, event_id, deliverBy="2020-01-01T00:00:00Z")


def decode(message: bytes, max_bytes: int = MAX_EVENT_BYTES) -> tuple[Event, bytes]:
    """Decode a message into its routed fields and the line that goes to the client."""
    return decode_event(message, max_bytes), payload_line(message)


def frame(message: bytes, max_bytes: int = MAX_EVENT_BYTES) -> bytes:
    """Turn a message into the frame that its client is sent."""
    event, payload = decode(message, max_bytes)
    framed = message_frame(event.event_id, message)
    assert framed == event_frame(event.event_id, payload)
    return framed


def make_registry(*, subscribed: bool = True, clock: Clock = SYSTEM_CLOCK) -> Registry:
    registry = Registry(
        "pod-1", max_backlog_bytes=MAX_BACKLOG_BYTES, stall_seconds=STALL_SECONDS, duel_limit=5, clock=clock
    )
    registry.subscribed = subscribed
    return registry


def connect(registry: Registry, name: str, address: str = "", **facts: Any) -> tuple[Connection, Recorder]:
    """Open a connection of a client that reads all that it is sent; facts are those that a Connection takes."""
    writer = Recorder()
    connection = Connection(name, writer, address, **facts)
    registry.open(connection, [])
    return connection, writer


def connect_with(registry: Registry, name: str, *, address: str = "", backlog: int = 0, **changes: Any) -> Connection:
    """Open a connection for a page to show: so many bytes wait for it, and its fields are changed to these."""
    connection, writer = connect(registry, name, address)
    writer.waiting = backlog
    for field, value in changes.items():
        setattr(connection, field, value)
    return connection


def make_router(registry: Registry, clock: Clock = SYSTEM_CLOCK) -> Router:
    history = History(300, 2**20, 100, started=clock.monotonic())
    return Router(registry, history, max_event_bytes=MAX_EVENT_BYTES, clock=clock)


def route(router: Router, *messages: bytes) -> None:
    """Hand messages to the router as if they were read from the channel."""
    router.route(list(messages), Ingress.CHANNEL)
