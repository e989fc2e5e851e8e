"""This pod's clients: which connection each has, and how a connection opens and ends."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from streams import frames
from streams.errors import CloseReason
from streams.times import iso, now_iso

registry_log = logging.getLogger("sse.registry")
disconnect_log = logging.getLogger("sse.disconnect")

Headers = list[tuple[bytes, bytes]]

# Drawn anew for each connection, so that the clients of a pod do not come back in step.
RETRY_MS = (1_000, 5_000)
# A client that was evicted is replaced already; coming back soon would only evict its successor.
EVICTED_RETRY_MS = (30_000, 60_000)
# Evictions of one name are counted over this time.
DUEL_SECONDS = 60.0
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
# The ends of clients whose name is served on another connection.
REPLACED = (CloseReason.EVICTED, CloseReason.DUEL)
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
        "clustered",
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
        # Whether this pod has heard its own announcement of this connection to the other pods.
        self.clustered = False
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

    def __init__(
        self,
        pod_name: str,
        *,
        max_backlog_bytes: int,
        stall_seconds: float,
        duel_limit: int = 5,
        slots: int = 120,
    ) -> None:
        self.pod_name = pod_name
        self.subscribed = False
        self.opened = 0
        self.closed: Counter[CloseReason] = Counter()
        self.ended: deque[ConnectionEnd] = deque(maxlen=ENDS_KEPT)
        self.bytes_closed = 0
        self.slots: list[set[Connection]] = [set() for _ in range(slots)]
        self._max_backlog_bytes = max_backlog_bytes
        self._stall_seconds = stall_seconds
        self._duel_limit = duel_limit
        # When each name was last evicted here; emptied by forget_evictions().
        self._evictions: dict[str, deque[float]] = {}
        self._hosts: Counter[str] = Counter()
        # Called with each connection that opens; whoever wires the pod may set it.
        self.on_open: Callable[[Connection], None] = _ignore
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
            if self._dueling(name):
                log_duel(older, connection)
                self.refuse(connection, headers, CloseReason.DUEL)
                return
            self.close(older, CloseReason.EVICTED)
        self._connections[name] = connection
        self._hosts[host_of(connection.address)] += 1
        # A place drawn at random spreads the heartbeats over their period.
        connection.slot = int(random.random() * len(self.slots))
        self.slots[connection.slot].add(connection)
        self.opened += 1
        registry_log.info("Registered %s on pod %s. Total connections: %d", name, self.pod_name, len(self))
        if self.subscribed:
            greeting = self._greeting(connection)
            connection.bytes_written = len(greeting)
            connection.writer.start(headers, greeting)
        else:
            connection.writer.start(headers, b"")
            self._waiting.add(connection)
        self.on_open(connection)

    def refuse(self, connection: Connection, headers: Headers, reason: CloseReason) -> None:
        """Answer a connection that is not taken in with a farewell, and end it.

        With 200 all the same: a browser's EventSource gives up for ever on anything else.
        """
        connection.writer.start(headers, self.farewell(reason))
        connection.writer.finish()
        self._count_end(connection, reason)

    def _dueling(self, name: str) -> bool:
        """Say whether a name was evicted so often that two devices must be sharing it."""
        evictions = self._evictions.get(name)
        return (
            evictions is not None
            and len(evictions) >= self._duel_limit
            and (time.monotonic() - evictions[0] < DUEL_SECONDS)
        )

    def forget_evictions(self) -> None:
        """Drop the evictions that no longer count; call it every few seconds."""
        horizon = time.monotonic() - DUEL_SECONDS
        for name, evictions in list(self._evictions.items()):
            if evictions[-1] < horizon:
                del self._evictions[name]

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
        retry_ms = random.randint(*RETRY_MS)
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
        if reason is CloseReason.EVICTED:
            evictions = self._evictions.setdefault(connection.client_name, deque(maxlen=self._duel_limit))
            evictions.append(time.monotonic())
        if self._connections.get(connection.client_name) is connection:
            del self._connections[connection.client_name]
        self._leave_host(connection)
        self.slots[connection.slot].discard(connection)
        self._waiting.discard(connection)
        self._backlogged.discard(connection)
        self._count_end(connection, reason)
        self._end(connection, reason)

    def _leave_host(self, connection: Connection) -> None:
        host = host_of(connection.address)
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def _count_end(self, connection: Connection, reason: CloseReason) -> None:
        connection.close_reason = reason
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
        retry_ms = random.randint(*(EVICTED_RETRY_MS if reason in REPLACED else RETRY_MS))
        return frames.named_frame(name, data, retry_ms=retry_ms)

    def count_from(self, address: str) -> int:
        """Return how many connections there are from the host of a peer's address."""
        return self._hosts[host_of(address)]

    def bytes_total(self) -> int:
        """Return the bytes of all frames that were written since the start."""
        return self.bytes_closed + sum(connection.bytes_written for connection in self._connections.values())

    def close_aged(self, max_stream_seconds: float) -> None:
        """Close the connections that have lived long enough, each at its own moment; call it every second.

        Their ages are drawn between 80 and 100 % of the limit.
        """
        now = time.time()
        share = 0.2 / len(self.slots)
        aged: list[Connection] = []
        # The dict holds them by age.
        for connection in self._connections.values():
            age = now - connection.connected_at
            if age < 0.8 * max_stream_seconds:
                break
            if age >= max_stream_seconds * (0.8 + share * connection.slot):
                aged.append(connection)
        for connection in aged:
            self.close(connection, CloseReason.MAX_LIFE)

    def backlog_bytes(self) -> int:
        """Return the bytes that wait for clients that are behind."""
        return sum(connection.writer.backlog_bytes() for connection in self._backlogged)

    def snapshots(self) -> list[ConnectionSnapshot]:
        """Return the figures of every connection, oldest first."""
        return [connection.snapshot() for connection in self._connections.values()]


def host_of(address: str) -> str:
    """Return the host of an address `host:port`."""
    return address.rpartition(":")[0]


def _ignore(_connection: Connection) -> None:
    pass


def log_duel(incumbent: Connection, newcomer: Connection) -> None:
    """Name both ends of a duel: an operator has to find the device that carries the wrong name."""
    registry_log.warning(
        "Duel for %s: %s holds it and %s asks for it again and again; the incumbent is kept. "
        "Two devices have the same name.",
        incumbent.client_name,
        incumbent.address,
        newcomer.address,
    )
