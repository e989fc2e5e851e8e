"""Message → who gets it. Every pod hears every event and keeps those of its own clients."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from streams.delivery.connection import NOTHING_TOLD, Connection
from streams.delivery.observing.fates import look_at, show
from streams.delivery.observing.observer import Fate
from streams.delivery.registry import Registry
from streams.history.coverage import Gap, GapReason, Ingress, merged
from streams.history.messages import History
from streams.history.retries import ID_MARK, Retries
from streams.vitals import DelayHistogram
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.complaints import Complaints, Fault
from streams.wire.deadlines import deadline_of, has_expired
from streams.wire.events import (
    MAX_NAME_CHARACTERS,
    Event,
    decode_event,
    decode_plain,
    decode_remembered,
    name_fault,
)
from streams.wire.frames import message_frame
from streams.wire.lenient import UNREADABLE
from streams.wire.timestamps import unix_seconds

logger = logging.getLogger("sse.sse")

T = TypeVar("T")


class Router:
    """Hands each message to the connection of the client that it names, and to the history."""

    def __init__(
        self, registry: Registry, history: History, *, max_event_bytes: int, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.received = 0
        self.delivered = 0
        # For clients that are not on this pod.
        self.foreign = 0
        self.expired = 0
        # Retries of publishers, which their clients have.
        self.repeated = 0
        self.replayed = 0
        self.complaints = Complaints(clock)
        self.gaps: Counter[GapReason] = Counter()
        # From an event's own timestamp to its write.
        self.delays = DelayHistogram()
        # For each ingress, up to when clients have everything once they are told what was missed.
        self.told = NOTHING_TOLD
        self.retries = Retries(history, self.complaints, clock.monotonic())
        self._registry = registry
        self._history = history
        self._max_event_bytes = max_event_bytes
        self._clock = clock

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
        skipped: list[int] = []
        deliveries: dict[Connection, list[bytes]] = {}
        given_ids: list[Any] = []
        foreign = 0
        sent: Any = None
        for message in messages:
            try:
                # Nearly all are decoded at once: a call costs as much as what it does.
                try:
                    event = (
                        decode_plain(message)
                        if len(message) <= max_event_bytes
                        else decode_event(message, max_event_bytes)
                    )
                except UNREADABLE:
                    event = decode_event(message, max_event_bytes)
                if event.ttl_ms is not None or event.deliver_by is not None:
                    number = len(names) + len(skipped)
                    if self._comes_too_late(event, message, moments[number] if moments else None):
                        skipped.append(number)
                        continue
                name = event.client_name
                connection = find(name)
                if connection is None or not connection.greeted:
                    foreign += 1
                    if debug:
                        self._log_foreign(name)
                elif connection.pending is not None:
                    self.tell(connection)
                    outbox.queue(connection, message)
                else:
                    event_id = event.event_id
                    frame = message_frame(event_id, message)
                    given_ids.append(event_id)
                    # The history has it from here: what its looking up reads of it is in the cache already.
                    name = connection.client_name
                    frames = deliveries.get(connection)
                    if frames is None:
                        if not connection.ids_noted:
                            self.retries.note_remembered(connection)
                        deliveries[connection] = [frame]
                        sent = event.timestamp
                    else:
                        frames.append(frame)
                names.append(name)
            except Exception as reason:
                skipped.append(len(names) + len(skipped))
                self.complaints.note(Fault.UNUSABLE, message, reason)
        self.foreign += foreign
        now = self._clock.monotonic()
        if skipped:
            messages, moments = without(messages, skipped), without(moments, skipped)
        if given_ids and self.retries.ids.note(given_ids, now):
            deliveries = self._without_repeated(messages, deliveries, ingress)
        if refused := self._history.extend(names, messages, now, ingress, moments):
            self._refuse(refused, names, messages)
        traced = self._registry.observer.traced
        fates = look_at(traced, names, messages, find, deliveries) if traced and not traced.isdisjoint(names) else None
        if deliveries:
            self._deliver(deliveries, now, debug)
            # One event stands for those that were read with it: reading a time costs as much as routing.
            if (sent_at := unix_seconds(sent)) is not None:
                self.delays.observe(self._clock.wall() - sent_at)
        if fates:
            show(self._registry.observer, fates)
        return names

    def _without_repeated(
        self, heard: list[bytes], deliveries: dict[Connection, list[bytes]], ingress: Ingress
    ) -> dict[Connection, list[bytes]]:
        """Frame once more what is to be delivered, less the events that their clients have."""
        again: dict[Connection, list[bytes]] = {}
        for message in heard:
            event = decode_remembered(message)
            connection = self._registry.get(event.client_name)
            if connection is None or connection not in deliveries:
                continue
            frame, frames = message_frame(event.event_id, message), again.get(connection)
            is_repeated = frame[0] == ID_MARK and self.retries.is_repeated(
                connection, event, message, frame, frames, ingress
            )
            if is_repeated and not self._is_over(event, message):
                # It is remembered all the same: a client may come back from either of its places.
                self.repeated += 1
            else:
                again.setdefault(connection, []).append(frame)
        return again

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
                self.complaints.note(Fault.UNUSABLE, message, reason)
        self.foreign += len(heard)
        if refused := self._history.extend(names, heard, self._clock.monotonic(), Ingress.JOURNAL, taken):
            self._refuse(refused, names, heard)

    def frame_late(self, connection: Connection, message: bytes) -> bytes:
        """Frame a message of a replay when its turn comes; nothing where it is too late or cannot be used."""
        try:
            event = decode_remembered(message)
            # A deadline may have passed while the client read what is before.
            if self._is_over(event, message):
                self.expired += 1
                self._note(event.client_name, message, Fate.EXPIRED)
                return b""
            frame = message_frame(event.event_id, message)
            if self.retries.is_replayed_again(connection, event, message, frame):
                self.repeated += 1
                self._note(event.client_name, message, Fate.REPEATED)
                return b""
        except Exception as reason:
            self.complaints.note(Fault.UNUSABLE, message, reason)
            return b""
        connection.event_count += 1
        self.replayed += 1
        self._note(connection.client_name, message, Fate.REPLAYED)
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
            self._registry.write(connection, self.gap_frame(connection, gap, None))

    def gap_frame(self, connection: Connection, gap: Gap, last_event_id: str | None) -> bytes:
        """Frame what tells a client that events may be missing, and count it."""
        self.gaps[gap.reason] += 1
        self._registry.observer.told(connection, gap)
        return self._registry.notices.gap(gap, last_event_id)

    def _comes_too_late(self, event: Event, message: bytes, moment: float | None) -> bool:
        """Say whether an event's deadline has passed already; `moment` is when Redis took it, None for now."""
        deadline = deadline_of(event, self._taken_at(moment))
        if deadline.unreadable:
            self.complaints.note(Fault.NO_DEADLINE, message, deadline.unreadable)
        late = self._clock.wall() >= deadline.expires_at
        if late:
            self.expired += 1
            self._note(event.client_name, message, Fate.EXPIRED)
        return late

    def _is_over(self, event: Event, message: bytes) -> bool:
        """Say whether a remembered event's deadline has passed."""
        if event.ttl_ms is None and event.deliver_by is None:
            return False
        moment = self._history.moment_of(event.client_name, message) if event.timestamp is None else None
        return has_expired(event, self._clock.wall(), self._taken_at(moment))

    def _taken_at(self, moment: float | None) -> float:
        """Return a moment as Unix time, now for None."""
        now = self._clock.wall()
        return now if moment is None else now - (self._clock.monotonic() - moment)

    def _refuse(self, refused: list[int], names: list[str], heard: list[bytes]) -> None:
        for number in refused:
            self.foreign -= 1
            self.complaints.note(Fault.MISNAMED, heard[number], name_fault(names[number]))

    def _deliver(self, deliveries: dict[Connection, list[bytes]], moment: float, debug: bool) -> None:
        now, told, write, delivered = self._clock.wall(), self.told, self._registry.write, self.delivered
        for connection, frames in deliveries.items():
            count = len(frames)
            delivered += count
            connection.event_count += count
            connection.last_activity, connection.active_at = now, moment
            try:
                if connection.told is not told:
                    self.tell(connection)
                write(connection, frames[0] if count == 1 else b"".join(frames))
            except Exception:
                self._registry.fail(connection)
        self.delivered = delivered
        if debug:
            for connection in deliveries:
                logger.debug("Event #%d sent to %s", connection.event_count, connection.client_name)

    def _note(self, name: str, message: bytes, fate: Fate) -> None:
        observer = self._registry.observer
        if name in observer.traced:
            observer.handled(name, message, fate)

    def _log_foreign(self, name: str) -> None:
        # A name is whatever a publisher wrote: on one line, and not longer than names are.
        name = name[:MAX_NAME_CHARACTERS]
        shown = name if name.isprintable() else repr(name)
        logger.debug("Client %s not on this pod (%s) - ignoring", shown, self._registry.pod_name)


def without(values: Sequence[T], numbers: list[int]) -> list[T]:
    """Return a list less what is at some of its places."""
    gone = set(numbers)
    return [value for number, value in enumerate(values) if number not in gone]
