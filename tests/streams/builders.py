"""How the tests enter the pure rooms: a writer that keeps what it was given, and a few short ways in."""

from __future__ import annotations

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


class Recorder:
    """A registry.Writer whose client can be told to stop reading."""

    def __init__(self) -> None:
        self.headers: Any = None
        self.written = b""
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
        self.written += frame
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


def connect(registry: Registry, name: str) -> tuple[Connection, Recorder]:
    """Open a connection of a client that reads all that it is sent."""
    writer = Recorder()
    connection = Connection(name, writer)
    registry.open(connection, [])
    return connection, writer


def make_router(registry: Registry, clock: Clock = SYSTEM_CLOCK) -> Router:
    history = History(300, 2**20, 100, started=clock.monotonic())
    return Router(registry, history, max_event_bytes=MAX_EVENT_BYTES, clock=clock)


def route(router: Router, *messages: bytes) -> None:
    """Hand messages to the router as if they were read from the channel."""
    router.route(list(messages), Ingress.CHANNEL)
