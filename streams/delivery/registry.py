"""This pod's clients: which connection each has, and how a connection opens and ends."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from streams.delivery.connection import Connection, Headers, host_of
from streams.delivery.duels.probes import ANSWER_SECONDS, Probes
from streams.delivery.duels.report import log_duel
from streams.delivery.duels.turns import Duels
from streams.delivery.notices import EVICTED_RETRY_MS, FAREWELLS, Notices, draw
from streams.delivery.observing.observer import Observer
from streams.delivery.outbox import Outbox
from streams.delivery.phases import Slots
from streams.delivery.turnover import Turnover
from streams.errors import CloseReason
from streams.wire.clock import SYSTEM_CLOCK, Clock

registry_logger = logging.getLogger("sse.registry")
sse_logger = logging.getLogger("sse.sse")
disconnect_logger = logging.getLogger("sse.disconnect")

# The ends of clients that do not read, or that cannot be written to.
UNREAD = (CloseReason.SLOW_READER, CloseReason.DEAD_PEER, CloseReason.FAILED)
# How long a client is not greeted whose name another pod may keep for another device: that one has to answer first.
HELD_SECONDS = ANSWER_SECONDS + 0.5
# The share of MAX_STREAM_SECONDS over which streams of one age are spread.
AGE_SPREAD = 0.2


class Registry:
    """The pod's connections by client name, one for each.

    It lives on one event loop, and nothing awaits between reading and changing it,
    so it has no locks. The rooms that see a connection open and end are its attributes.
    """

    def __init__(
        self,
        pod_name: str,
        *,
        max_backlog_bytes: int,
        stall_seconds: float,
        duel_limit: int,
        slots: int = 120,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.pod_name = pod_name
        self.notices = Notices(pod_name, clock)
        self.subscribed = False
        self.turnover = Turnover(clock)
        self.slots = Slots(slots)
        self.outbox = Outbox(self.close, max_backlog_bytes=max_backlog_bytes, stall_seconds=stall_seconds)
        self.duels = Duels(duel_limit, clock)
        self.probes = Probes(self._ask, clock)
        # Called with each connection that opens, that was just greeted, and that ends;
        # whoever wires the pod sets them.
        self.on_open: Callable[[Connection], None] = _ignore
        self.on_greeted: Callable[[Connection], None] = _ignore
        self.on_close: Callable[[Connection], None] = _ignore
        self.observer = Observer()
        self._connections: dict[str, Connection] = {}
        self._hosts: Counter[str] = Counter()
        # A dict for a set that keeps its order.
        self._waiting: dict[Connection, None] = {}
        # Clients that are not greeted before a moment, in monotonic seconds.
        self._held: dict[Connection, float] = {}
        # Newcomers that are not taken in before it is known whether the one that has their name answers.
        self._newcomers: set[Connection] = set()
        self._clock = clock
        # The dict's and the outbox's own: route() calls them for each event.
        self.get = self._connections.get
        self.write = self.outbox.write

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections.values()))

    def open(self, connection: Connection, headers: Headers) -> None:
        """Take a connection in, evict an older one of the same client, and begin its response.

        The greeting waits until the pod is subscribed: what is published after a
        client has read it must reach this pod. Where two devices fight over the name,
        the older one stays if its machine answers.
        """
        name = connection.client_name
        older = self._connections.get(name)
        if older is not None and self.duels.dueling(name, connection.origin, older.origin):
            connection.writer.start(headers, b"")
            self._newcomers.add(connection)
            self.probes.ask(older, functools.partial(self._decide, older, connection))
            return
        held = older is None and self.duels.knows(name) and self.duels.suspect(name, connection.origin)
        if older is not None:
            self._evict(older, connection)
        self._take_in(connection, headers, held=held)

    def _take_in(self, connection: Connection, headers: Headers | None, *, held: bool = False) -> None:
        """Put a connection in its place, which is free; without headers its response has begun.

        One that is held is not greeted before other pods had time to keep its name.
        """
        name = connection.client_name
        self._connections[name] = connection
        self._hosts[host_of(connection.address)] += 1
        self.slots.add(connection, len(self))
        self.turnover.opened += 1
        registry_logger.info(
            "Registered %s on pod %s. Total connections: %d",
            *(name, self.pod_name, len(self)),
            extra={"fields": connection.facts()},
        )
        # Before it is told anything, so that whoever looks on sees all in its order.
        self.on_open(connection)
        greeting = self.notices.greeting(name, connection.connected_at) if self.subscribed and not held else b""
        connection.bytes_written = len(greeting)
        if headers is not None:
            connection.writer.start(headers, greeting)
        elif greeting:
            connection.writer.write(greeting)
        if greeting:
            self._greeted(connection)
        elif held:
            self._held[connection] = self._clock.monotonic() + HELD_SECONDS
        else:
            self._waiting[connection] = None

    def _decide(self, older: Connection, newcomer: Connection, answers: bool) -> None:
        """Give a newcomer its name, or turn it away; `answers` is whether the older device does."""
        if newcomer not in self._newcomers:
            # Its client has left meanwhile.
            return
        if answers:
            log_duel(older, newcomer)
            self.send_away(newcomer, CloseReason.DUEL, older.origin)
            return
        self._newcomers.discard(newcomer)
        self.close(older, CloseReason.DEAD_PEER)
        try:
            other = self._connections.get(newcomer.client_name)
            if other is not None:
                self._evict(other, newcomer)
            self._take_in(newcomer, None)
        except Exception:
            self.fail(newcomer)

    def _evict(self, older: Connection, newer: Connection) -> None:
        older.evicted_by = f"{self.pod_name} {newer.address}"
        self.send_away(older, CloseReason.EVICTED, newer.origin)

    def _ask(self, connection: Connection, question: bytes) -> None:
        try:
            self.write(connection, question)
        except Exception:
            self.fail(connection)

    def send_away(self, connection: Connection, reason: CloseReason, by: str) -> None:
        """End a connection, or turn a newcomer away, whose name the device of another origin has."""
        retry_ms = draw(EVICTED_RETRY_MS)
        note = self.duels.note_eviction if reason is CloseReason.EVICTED else self.duels.note_refusal
        note(connection.client_name, connection.origin, by, retry_ms / 1000)
        self.close(connection, reason, retry_ms)

    def greet_held(self) -> None:
        """Greet the clients whose names no other pod has kept for another device; call it every second."""
        now = self._clock.monotonic()
        for connection, due in list(self._held.items()):
            if now >= due:
                del self._held[connection]
                self._waiting[connection] = None
        if self.subscribed and self._waiting:
            self.greet_waiting(len(self._waiting))

    def refuse(self, connection: Connection, headers: Headers, reason: CloseReason) -> None:
        """Answer a connection that is not taken in with a farewell, and end it.

        With 200 all the same: a browser's EventSource gives up for ever on anything else.
        """
        connection.writer.start(headers, self.notices.refusal(reason))
        # That a token ended has a line of its own, of which there are not too many.
        self._note_end(connection, reason, logging.DEBUG if reason is CloseReason.TOKEN_EXPIRED else logging.INFO)
        self.observer.refused(connection, reason)
        self.outbox.finish(connection, None)

    def greet_waiting(self, limit: int) -> bool:
        """Greet some of those who waited for the pod to be subscribed; say whether others still wait.

        Each is let go only once it is greeted, so this may be interrupted and begun again.
        """
        for connection in list(islice(self._waiting, limit)):
            try:
                self.write(connection, self.notices.greeting(connection.client_name, connection.connected_at))
                self._greeted(connection)
            except Exception:
                self.fail(connection)
            self._waiting.pop(connection, None)
        return bool(self._waiting)

    def _greeted(self, connection: Connection) -> None:
        # No await between this and the greeting, nor before the replay is queued: what
        # comes live from now on goes behind it.
        connection.greeted = True
        self.on_greeted(connection)

    def fail(self, connection: Connection) -> None:
        """Take out a connection that raised an exception, which is being handled; the others go on."""
        # The handler is the caller's.
        sse_logger.exception(  # noqa: LOG004
            "The stream of %s failed and is closed", connection.client_name, extra={"fields": connection.facts()}
        )
        self.close(connection, CloseReason.FAILED)

    def close(self, connection: Connection, reason: CloseReason, retry_ms: int | None = None) -> None:
        """End a connection; only the first call does, and its reason is the one that counts.

        What is removed is this connection and never a newer one of the same name. `retry_ms` is
        how long the farewell asks the client to stay away, drawn where it is not given.
        """
        if connection.close_reason is not None:
            return
        if self._connections.get(connection.client_name) is connection:
            del self._connections[connection.client_name]
            self._leave_host(connection)
        self.slots.discard(connection)
        self._waiting.pop(connection, None)
        self._held.pop(connection, None)
        self._note_end(connection, reason)
        if connection in self._newcomers:
            self._newcomers.discard(connection)
            self.observer.refused(connection, reason)
        else:
            self.on_close(connection)
        try:
            if reason in UNREAD:
                self.outbox.abort(connection)
            else:
                self.outbox.finish(connection, self.notices.farewell(reason, retry_ms) if reason in FAREWELLS else None)
        except Exception:
            sse_logger.exception("The stream of %s did not end cleanly", connection.client_name)

    def close_aged(self, max_stream_seconds: float, now: float) -> None:
        """Close the connections that have lived long enough; call it every second, with monotonic seconds.

        The age at which each goes is drawn from the last part of the limit.
        """
        aged: list[Connection] = []
        # The dict holds them by age.
        for connection in self._connections.values():
            age = now - connection.opened_at
            if age < (1 - AGE_SPREAD) * max_stream_seconds:
                break
            if age >= max_stream_seconds * (1 - AGE_SPREAD * self.slots.share(connection)):
                aged.append(connection)
        for connection in aged:
            self.close(connection, CloseReason.MAX_LIFE)

    def count_from(self, address: str) -> int:
        """Return how many connections there are from the host of a peer's address."""
        return self._hosts[host_of(address)]

    def bytes_total(self) -> int:
        """Return the bytes of all frames that were written since the start."""
        return self.turnover.bytes_closed + sum(connection.bytes_written for connection in self._connections.values())

    def _leave_host(self, connection: Connection) -> None:
        host = host_of(connection.address)
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def _note_end(self, connection: Connection, reason: CloseReason, level: int = logging.INFO) -> None:
        connection.close_reason = reason
        end = self.turnover.note_end(connection, reason)
        seconds = round(end.open_seconds, 1)
        disconnect_logger.log(
            level,
            "Client %s disconnected (%s) from pod %s after %.1f s, %d events, %d bytes. Total connections: %d",
            end.client_name,
            reason,
            self.pod_name,
            end.open_seconds,
            end.event_count,
            connection.bytes_written,
            len(self),
            extra={"fields": connection.facts() | {"reason": reason, "seconds": seconds, "events": end.event_count}},
        )


def _ignore(_connection: Connection) -> None:
    pass
