"""Message → who gets it. Every pod hears every event and keeps those of its own clients."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from streams.delivery.connection import NOTHING_TOLD, Connection
from streams.delivery.registry import Registry
from streams.errors import UnusableMessage
from streams.history.coverage import Gap, GapReason, Ingress, merged
from streams.history.messages import History
from streams.vitals import DelayHistogram
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.events import MAX_NAME_CHARACTERS, NAME_RULE, decode_event, has_expired, payload_line
from streams.wire.frames import event_frame
from streams.wire.timestamps import unix_seconds

logger = logging.getLogger("sse.sse")

UNUSABLE_LOG_SECONDS = 1.0


class Router:
    """Hands each message to the connection of the client that it names, and to the history."""

    def __init__(
        self, registry: Registry, history: History, *, max_event_bytes: int, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.received = 0
        self.delivered = 0
        # For clients that are not on this pod.
        self.foreign = 0
        self.unusable = 0
        self.expired = 0
        self.replayed = 0
        self.gaps: Counter[GapReason] = Counter()
        # From an event's own timestamp to its write.
        self.delays = DelayHistogram()
        # For each ingress, up to when clients have everything once they are told what was missed.
        self.told = NOTHING_TOLD
        self._registry = registry
        self._history = history
        self._max_event_bytes = max_event_bytes
        self._clock = clock
        self._unusable_logged = 0
        self._unusable_log_due = 0.0

    def route(self, messages: list[bytes], ingress: Ingress, moments: Sequence[float] = ()) -> list[str]:
        """Deliver the messages that were read from Redis at once, in their order.

        `moments` has, for the journal, when Redis took each, in monotonic seconds. A message that
        cannot be used, for whatever reason, is counted and skipped. The events for one client
        go out in one write: it is the system call that costs. Returns the names that were heard.
        """
        self.received += len(messages)
        max_event_bytes, find, outbox = self._max_event_bytes, self._registry.get, self._registry.outbox
        debug = logger.isEnabledFor(logging.DEBUG)
        names: list[str] = []
        heard: list[bytes] = []
        skipped: list[int] = []
        deliveries: dict[Connection, list[bytes]] = {}
        delivered = foreign = 0
        sent: Any = None
        for message in messages:
            try:
                event = decode_event(message, max_event_bytes)
                if (event.ttl_ms is not None or event.deliver_by is not None) and has_expired(
                    event, self._clock.wall()
                ):
                    self.expired += 1
                    skipped.append(len(heard) + len(skipped))
                    continue
                name = event.client_name
                connection = find(name)
                if connection is not None and connection.pending is not None:
                    self.tell(connection)
                    outbox.queue(connection, message)
                elif connection is not None and connection.greeted:
                    frame = event_frame(event.event_id, payload_line(message))
                    delivered += 1
                    frames = deliveries.get(connection)
                    if frames is None:
                        deliveries[connection] = [frame]
                        sent = event.timestamp
                    else:
                        frames.append(frame)
                else:
                    foreign += 1
                    if debug:
                        self._log_foreign(name)
                names.append(name)
                heard.append(message)
            except Exception as reason:
                skipped.append(len(heard) + len(skipped))
                self._skip(message, reason)
        self.delivered += delivered
        self.foreign += foreign
        if skipped and moments:
            gone = set(skipped)
            moments = [moment for number, moment in enumerate(moments) if number not in gone]
        self._remember(names, heard, ingress, moments)
        if deliveries:
            self._deliver(deliveries)
            # One event stands for those that were read with it: reading a time costs as much as routing.
            if (sent_at := unix_seconds(sent)) is not None:
                self.delays.observe(self._clock.wall() - sent_at)
        return names

    def remember(self, messages: list[bytes], moments: Sequence[float]) -> None:
        """Take the journal's messages from before this pod's time into the history, for replays only.

        The moments at which Redis took them are in monotonic seconds.
        """
        self.received += len(messages)
        names: list[str] = []
        heard: list[bytes] = []
        taken: list[float] = []
        for message, moment in zip(messages, moments, strict=True):
            try:
                names.append(decode_event(message, self._max_event_bytes).client_name)
                heard.append(message)
                taken.append(moment)
            except Exception as reason:
                self._skip(message, reason)
        self.foreign += len(heard)
        self._remember(names, heard, Ingress.JOURNAL, taken)

    def frame_late(self, connection: Connection, message: bytes) -> bytes:
        """Frame a message of a replay when its turn comes; nothing where it is too late or cannot be used."""
        try:
            event = decode_event(message, self._max_event_bytes)
            # A deadline may have passed while the client read what is before.
            if has_expired(event, self._clock.wall()):
                self.expired += 1
                return b""
            frame = event_frame(event.event_id, payload_line(message))
        except Exception as reason:
            self._skip(message, reason)
            return b""
        connection.event_count += 1
        self.replayed += 1
        return frame

    def framing(self, connection: Connection) -> functools.partial[bytes]:
        """Return frame_late() for one connection, as the outbox wants it."""
        return functools.partial(self.frame_late, connection)

    def tell(self, connection: Connection) -> None:
        """Tell a client what may be missing after its marks, if anything; nothing twice."""
        marks, pending = connection.told, connection.pending
        if marks is self.told or not connection.greeted or (pending is not None and pending.held):
            return
        connection.told = self.told
        coverage = self._history.coverage
        gap = merged(*(each.missing_after(mark) for each, mark in zip(coverage, marks, strict=True)))
        if gap is not None:
            self._registry.write(connection, self.gap_frame(gap, None))

    def gap_frame(self, gap: Gap, last_event_id: str | None) -> bytes:
        """Frame what tells a client that events may be missing, and count it."""
        self.gaps[gap.reason] += 1
        return self._registry.notices.gap(gap, last_event_id)

    def _remember(self, names: list[str], heard: list[bytes], ingress: Ingress, moments: Sequence[float]) -> None:
        refused = self._history.extend(names, heard, self._clock.monotonic(), ingress, moments)
        for number in refused:
            self.foreign -= 1
            self._skip(heard[number], UnusableMessage(f"clientName must be {NAME_RULE}"))

    def _deliver(self, deliveries: dict[Connection, list[bytes]]) -> None:
        now, moment, write = self._clock.wall(), self._clock.monotonic(), self._registry.write
        for connection, frames in deliveries.items():
            connection.event_count += len(frames)
            connection.last_activity, connection.active_at = now, moment
            try:
                if connection.told is not self.told:
                    self.tell(connection)
                write(connection, frames[0] if len(frames) == 1 else b"".join(frames))
            except Exception:
                self._registry.fail(connection)
        if logger.isEnabledFor(logging.DEBUG):
            for connection in deliveries:
                logger.debug("Event #%d sent to %s", connection.event_count, connection.client_name)

    def _log_foreign(self, name: str) -> None:
        # A name is whatever a publisher wrote: on one line, and not longer than names are.
        name = name[:MAX_NAME_CHARACTERS]
        shown = name if name.isprintable() else repr(name)
        logger.debug("Client %s not on this pod (%s) - ignoring", shown, self._registry.pod_name)

    def _skip(self, message: bytes, reason: Exception) -> None:
        self.unusable += 1
        now = self._clock.monotonic()
        if now < self._unusable_log_due:
            return
        # One line a second names the latest; a publisher gone wrong must not fill a disk.
        self._unusable_log_due = now + UNUSABLE_LOG_SECONDS
        count, self._unusable_logged = self.unusable - self._unusable_logged, self.unusable
        logger.warning("Skipped %d unusable message(s); the latest begins %r: %s", count, message[:80], reason)
