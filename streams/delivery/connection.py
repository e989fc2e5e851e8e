"""One open stream of one client, and how its frames reach it."""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from streams.auth.rights import Holder
from streams.errors import CloseReason
from streams.wire.clock import SYSTEM_CLOCK, Clock

Headers = list[tuple[bytes, bytes]]
NOTHING_TOLD = (0.0, 0.0)
ORIGIN_BYTES = 6


class Writer(Protocol):
    """How frames reach one client; writers.py has the two that there are."""

    def start(self, headers: Headers, frame: bytes) -> None:
        """Begin the response, with its first frame where there is one; comes before everything else."""

    def write(self, frame: bytes) -> int:
        """Write a frame; return the bytes that wait because the client has not taken them."""

    def backlog_bytes(self) -> int:
        """Return the bytes that wait because the client has not taken them."""

    def finish(self) -> None:
        """End the response after everything that was written."""

    def abort(self) -> None:
        """Cut the connection now and give back what waits."""

    def silent_seconds(self) -> float:
        """Return for how long the client's machine has not acknowledged bytes sent to it, or 0."""

    @property
    def failed(self) -> bool:
        """Whether the server refused what was written; the request's task is cancelled then."""


class ConnectionSnapshot(NamedTuple):
    """What an operator may know about a connection at one moment.

    `connected_at` and `last_activity` are Unix times, as the machine's clock was then. The seconds since
    both do not follow from them: that clock may have been set.
    """

    client_name: str
    address: str
    user_agent: str
    connected_at: float
    last_activity: float
    event_count: int
    bytes_written: int
    backlog_bytes: int
    open_seconds: float
    quiet_seconds: float


class Resume(NamedTuple):
    """Where a client that comes back wants to go on: after an event, or some seconds ago."""

    last_event_id: str | None
    since_seconds: float | None


class Pending:
    """A replay too long for one write, and what came behind it; each message is framed when its turn comes."""

    __slots__ = ("_frame", "_queue", "held", "taken_at", "waiting_bytes")

    def __init__(self, messages: list[bytes], frame: Callable[[bytes], bytes], now: float) -> None:
        # Gives nothing for a message whose deadline has passed meanwhile.
        self._frame = frame
        # Whether nothing goes out until it is known what the client has already.
        self.held = False
        # What waits, whether it is a message or a frame already, and how many bytes came behind the replay.
        self._queue = deque((message, True, 0) for message in messages)
        # What came behind the replay and waits; the replay itself is no fault of its client.
        self.waiting_bytes = 0
        # When the client had last taken what it was given (monotonic seconds).
        self.taken_at = now

    def add(self, data: bytes, *, is_message: bool) -> None:
        """Put a message or a frame behind the rest."""
        self._queue.append((data, is_message, len(data)))
        self.waiting_bytes += len(data)

    def release(self, messages: list[bytes], now: float) -> None:
        """Let go out the frames that waited, then these messages."""
        self._queue.extend((message, True, 0) for message in messages)
        self.taken_at = now
        self.held = False

    def take(self, batch_bytes: int) -> bytes:
        """Return the next frames, of about so many bytes; none when all are taken."""
        batch, taken_bytes = [], 0
        while self._queue and taken_bytes < batch_bytes:
            data, is_message, waited_bytes = self._queue.popleft()
            frame = self._frame(data) if is_message else data
            batch.append(frame)
            taken_bytes += len(frame)
            self.waiting_bytes -= waited_bytes
        return b"".join(batch)


class Recipient:
    """What each event that is delivered reads or changes of its connection.

    The slots of a base come first, so that these share two lines of the processor's cache, where among all of
    a connection's they would be in four: of thousands of clients each is cold in it.
    """

    __slots__ = (
        "active_at",
        "bytes_written",
        "client_name",
        "event_count",
        "greeted",
        "ids_noted",
        "last_activity",
        "pending",
        "told",
        "writer",
    )


class Connection(Recipient):
    """One open stream of one client.

    Its attributes are in no objects of their own: each would be one more for each of ten thousand clients, and
    one more step for each event.
    """

    __slots__ = (
        "address",
        "close_reason",
        "connected_at",
        "evicted_by",
        "first_place",
        "holder",
        "live_from",
        "number",
        "opened_at",
        "replayed",
        "resume",
        "slot",
        "user_agent",
    )

    def __init__(
        self,
        client_name: str,
        writer: Writer,
        address: str = "",
        resume: Resume | None = None,
        user_agent: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.client_name = client_name
        self.writer = writer
        self.address = address
        # What the client calls itself, as it was sent: text from outside, to be escaped.
        self.user_agent = user_agent
        self.connected_at = self.last_activity = clock.wall()
        # The same on the clock that never steps, for ages and for which of two connections is older.
        self.opened_at = self.active_at = clock.monotonic()
        self.event_count = 0
        # Whether the client has been sent its `connected` frame, which comes before every event.
        self.greeted = False
        self.bytes_written = 0
        self.close_reason: CloseReason | None = None
        # Whom its token names, where streams need one: the stream ends with it.
        self.holder: Holder | None = None
        # Who took its name: the newer connection's pod, and its address where that pod is this one.
        self.evicted_by = ""
        # What the client asked to be sent again.
        self.resume = resume
        # For each ingress, up to when the client has everything or was told of a gap (monotonic
        # seconds): telling may be interrupted and begun again.
        self.told = NOTHING_TOLD
        # The place in the history from which on this stream has everything of its client.
        self.first_place = 0
        # What it was given, to tell retries: see history/retries.py.
        self.live_from = 0
        self.ids_noted = True
        self.replayed: array[int] | None = None
        # Frames that wait for their turn behind a long replay.
        self.pending: Pending | None = None
        # Its name in the roster, beside that of the pod's life.
        self.number = 0
        self.slot = 0

    @property
    def origin(self) -> str:
        """A short mark of the device: of its host and what it calls itself; empty where its host is not known."""
        host = host_of(self.address)
        known = f"{host} {self.user_agent}".encode(errors="replace")
        return hashlib.blake2s(known, digest_size=ORIGIN_BYTES).hexdigest() if host else ""

    def facts(self) -> dict[str, Any]:
        """Return what a log line of this connection is found by; see streams.logs for the names."""
        facts = {"clientName": self.client_name, "address": self.address, "userAgent": self.user_agent}
        return {**facts, "evictedBy": self.evicted_by} if self.evicted_by else facts

    def snapshot(self, now: float) -> ConnectionSnapshot:
        """Return the connection's figures at a moment in monotonic seconds, detached from it."""
        return ConnectionSnapshot(
            self.client_name,
            self.address,
            self.user_agent,
            self.connected_at,
            self.last_activity,
            self.event_count,
            self.bytes_written,
            self.writer.backlog_bytes(),
            now - self.opened_at,
            now - self.active_at,
        )


def both(first: Callable[[Connection], None], second: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Return what calls one, and then the other."""

    def call(connection: Connection) -> None:
        first(connection)
        second(connection)

    return call


def host_of(address: str) -> str:
    """Return the host of an address `host:port` or `host`; an IPv6 address has brackets."""
    host, _colon, port = address.rpartition(":")
    return host if port.isdigit() else address
