"""This pod's clients: which connection each has, and how a connection opens and ends."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from streams import frames
from streams.errors import CloseReason
from streams.times import iso, now_iso

registry_log = logging.getLogger("sse.registry")
disconnect_log = logging.getLogger("sse.disconnect")

Headers = list[tuple[bytes, bytes]]

RETRY_LOW_MS = 1000
RETRY_HIGH_MS = 5000
# The event that tells a client why its stream ends: the few names that clients know.
FAREWELLS = {
    CloseReason.EVICTED: "evicted",
    CloseReason.DUEL: "evicted",
    CloseReason.OPERATOR: "evicted",
    CloseReason.OVERLOADED: "overloaded",
    CloseReason.DRAINING: "draining",
    CloseReason.MAX_LIFE: "draining",
    CloseReason.SERVER_STOPPED: "draining",
}
# The ends of clients that do not read.
UNREAD = (CloseReason.SLOW_READER, CloseReason.DEAD_PEER)
# Ends that an operator can still look at; enough for a minute of a large store's trouble.
ENDS_KEPT = 1000


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


class ConnectionSnapshot(NamedTuple):
    """What an operator may know about a connection at one moment."""

    client_name: str
    address: str
    connected_at: float
    last_activity: float
    event_count: int
    bytes_written: int
    backlog_bytes: int


class ConnectionEnd(NamedTuple):
    """What an operator may know about a connection that is gone."""

    client_name: str
    address: str
    connected_at: float
    ended_at: float
    event_count: int
    reason: CloseReason


class Connection:
    """One open stream of one client."""

    __slots__ = (
        "address",
        "bytes_written",
        "client_name",
        "close_reason",
        "connected_at",
        "event_count",
        "last_activity",
        "moved_at",
        "moved_bytes",
        "slot",
        "writer",
    )

    def __init__(self, client_name: str, writer: Writer, address: str = "") -> None:
        self.client_name = client_name
        self.writer = writer
        self.address = address
        self.connected_at = self.last_activity = time.time()
        self.event_count = 0
        self.bytes_written = 0
        self.close_reason: CloseReason | None = None
        # How many bytes had left this process when they last moved, and when that was.
        self.moved_bytes = 0
        self.moved_at = 0.0
        self.slot = 0

    def snapshot(self) -> ConnectionSnapshot:
        """Return the connection's figures, detached from it."""
        return ConnectionSnapshot(
            self.client_name,
            self.address,
            self.connected_at,
            self.last_activity,
            self.event_count,
            self.bytes_written,
            self.writer.backlog_bytes(),
        )


class Registry:
    """The pod's connections by client name, one for each.

    It lives on one event loop, and nothing awaits between reading and changing it,
    so it has no locks.
    """

    def __init__(self, pod_name: str, *, max_backlog_bytes: int, stall_seconds: float, slots: int = 120) -> None:
        self.pod_name = pod_name
        self.subscribed = False
        self.opened = 0
        self.closed: Counter[CloseReason] = Counter()
        self.ended: deque[ConnectionEnd] = deque(maxlen=ENDS_KEPT)
        self.bytes_closed = 0
        self.slots: list[set[Connection]] = [set() for _ in range(slots)]
        self._max_backlog_bytes = max_backlog_bytes
        self._stall_seconds = stall_seconds
        self._connections: dict[str, Connection] = {}
        self._waiting: set[Connection] = set()
        self._backlogged: set[Connection] = set()
        # Writers that were told to finish while bytes waited, and when that takes too long.
        self._finishing: dict[Writer, float] = {}
        self.get = self._connections.get

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections.values()))

    def open(self, connection: Connection, headers: Headers) -> None:
        """Take a connection in, evict an older one of the same client, and begin its response.

        The greeting waits until the pod is subscribed: what is published after a
        client has read it must reach this pod.
        """
        name = connection.client_name
        older = self._connections.get(name)
        if older is not None:
            self.close(older, CloseReason.EVICTED)
        self._connections[name] = connection
        # A place drawn at random spreads the heartbeats over their period.
        connection.slot = int(random.random() * len(self.slots))
        self.slots[connection.slot].add(connection)
        self.opened += 1
        registry_log.info("Registered %s on pod %s. Total connections: %d", name, self.pod_name, len(self))
        if self.subscribed:
            connection.writer.start(headers, self._greeting(connection))
        else:
            connection.writer.start(headers, b"")
            self._waiting.add(connection)

    def set_subscribed(self, subscribed: bool) -> None:
        """Note whether the pod hears the channel; greet those who waited for it."""
        self.subscribed = subscribed
        if subscribed:
            waiting, self._waiting = self._waiting, set()
            for connection in waiting:
                self.write(connection, self._greeting(connection))

    def _greeting(self, connection: Connection) -> bytes:
        greeting = {
            "type": "connected",
            "clientName": connection.client_name,
            "podName": self.pod_name,
            "timestamp": iso(connection.last_activity),
        }
        retry_ms = random.randint(RETRY_LOW_MS, RETRY_HIGH_MS)
        return frames.data_frame(greeting, retry_ms=retry_ms)

    def write(self, connection: Connection, frame: bytes) -> None:
        """Write a frame to a connection, and close it if too much waits for its client."""
        connection.bytes_written += len(frame)
        backlog_bytes = connection.writer.write(frame)
        if backlog_bytes:
            self._watch(connection, backlog_bytes)

    def _watch(self, connection: Connection, backlog_bytes: int) -> None:
        if backlog_bytes > self._max_backlog_bytes:
            self.close(connection, CloseReason.SLOW_READER)
        elif connection not in self._backlogged and connection.close_reason is None:
            connection.moved_bytes = connection.bytes_written - connection.writer.backlog_bytes()
            connection.moved_at = time.monotonic()
            self._backlogged.add(connection)

    def close_stalled(self) -> None:
        """Cut the connections whose backlog has not moved for too long; call it every second."""
        now = time.monotonic()
        for writer, deadline in list(self._finishing.items()):
            if not writer.backlog_bytes():
                del self._finishing[writer]
            elif now >= deadline:
                del self._finishing[writer]
                writer.abort()
        for connection in list(self._backlogged):
            backlog_bytes = connection.writer.backlog_bytes()
            left = connection.bytes_written - backlog_bytes
            if not backlog_bytes:
                self._backlogged.discard(connection)
            elif left > connection.moved_bytes:
                connection.moved_bytes, connection.moved_at = left, now
            elif now - connection.moved_at >= self._stall_seconds:
                self.close(connection, CloseReason.SLOW_READER)

    def close(self, connection: Connection, reason: CloseReason) -> None:
        """End a connection; only the first call does, and its reason is the one that counts.

        What is removed is this connection and never a newer one of the same name.
        """
        if connection.close_reason is not None:
            return
        connection.close_reason = reason
        if self._connections.get(connection.client_name) is connection:
            del self._connections[connection.client_name]
        self.slots[connection.slot].discard(connection)
        self._waiting.discard(connection)
        self._backlogged.discard(connection)
        self.closed[reason] += 1
        self.bytes_closed += connection.bytes_written
        now = time.time()
        self.ended.append(
            ConnectionEnd(
                connection.client_name,
                connection.address,
                connection.connected_at,
                now,
                connection.event_count,
                reason,
            )
        )
        disconnect_log.info(
            "Client %s disconnected (%s) from pod %s after %.1f s, %d events, %d bytes. Total connections: %d",
            connection.client_name,
            reason,
            self.pod_name,
            now - connection.connected_at,
            connection.event_count,
            connection.bytes_written,
            len(self),
        )
        self._end(connection, reason)

    def _end(self, connection: Connection, reason: CloseReason) -> None:
        writer = connection.writer
        if reason in UNREAD:
            # A farewell would only wait behind what already does.
            writer.abort()
            return
        if reason in FAREWELLS:
            writer.write(self.farewell(reason))
        writer.finish()
        if writer.backlog_bytes():
            self._finishing[writer] = time.monotonic() + self._stall_seconds

    def farewell(self, reason: CloseReason) -> bytes:
        """Return the frame that tells a client why its stream ends and when to come back."""
        name = FAREWELLS[reason]
        data = {"type": name, "reason": reason.value, "podName": self.pod_name, "timestamp": now_iso()}
        return frames.named_frame(name, data, retry_ms=random.randint(RETRY_LOW_MS, RETRY_HIGH_MS))

    def bytes_total(self) -> int:
        """Return the bytes of all frames that were written since the start."""
        return self.bytes_closed + sum(connection.bytes_written for connection in self._connections.values())

    def backlog_bytes(self) -> int:
        """Return the bytes that wait for clients that are behind."""
        return sum(connection.writer.backlog_bytes() for connection in self._backlogged)

    def snapshots(self) -> list[ConnectionSnapshot]:
        """Return the figures of every connection, oldest first."""
        return [connection.snapshot() for connection in self._connections.values()]
