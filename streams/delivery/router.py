"""Message → who gets it. Every pod hears every event and keeps those of its own clients."""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from typing import Any

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.errors import UnusableMessage
from streams.history.messages import Gap, GapReason, History
from streams.vitals import DelayHistogram
from streams.wire.events import MAX_NAME_CHARACTERS, decode_event, has_expired, payload_line
from streams.wire.frames import event_frame, named_frame
from streams.wire.timestamps import iso, now_iso, unix_seconds

log = logging.getLogger("sse.sse")

UNUSABLE_LOG_SECONDS = 1.0


class Router:
    """Hands each message to the connection of the client that it names, and to the history."""

    def __init__(self, registry: Registry, history: History, *, max_event_bytes: int) -> None:
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
        self._registry = registry
        self._history = history
        self._max_event_bytes = max_event_bytes
        self._unusable_logged = 0
        self._unusable_log_due = 0.0

    def route(self, messages: list[bytes]) -> None:
        """Deliver the messages that were read from Redis at once, in their order.

        A message that cannot be used is counted and skipped. The events for one client
        go out in one write: it is the system call that costs.
        """
        self.received += len(messages)
        max_event_bytes, find, outbox = self._max_event_bytes, self._registry.get, self._registry.outbox
        debug = log.isEnabledFor(logging.DEBUG)
        names: list[str] = []
        heard: list[bytes] = []
        deliveries: dict[Connection, list[bytes]] = {}
        delivered = foreign = 0
        sent: Any = None
        for message in messages:
            try:
                event = decode_event(message, max_event_bytes)
                if (event.ttl_ms is not None or event.deliver_by is not None) and has_expired(event, time.time()):
                    self.expired += 1
                    continue
                name = event.client_name
                names.append(name)
                heard.append(message)
                connection = find(name)
                if connection is not None and connection.pending is not None:
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
            except UnusableMessage as reason:
                self._skip(message, reason)
        self.delivered += delivered
        self.foreign += foreign
        self._history.extend(names, heard, time.monotonic())
        if deliveries:
            self._deliver(deliveries)
            # One event stands for those that were read with it: reading a time costs as much as routing.
            if (sent_at := unix_seconds(sent)) is not None:
                self.delays.observe(time.time() - sent_at)

    def remember(self, messages: list[bytes], moments: list[float]) -> None:
        """Take messages from before this pod's time into the history, for replays only.

        The moments at which Redis took them are in time.monotonic()'s seconds.
        """
        self.received += len(messages)
        now = time.monotonic()
        for message, moment in zip(messages, moments, strict=True):
            try:
                event = decode_event(message, self._max_event_bytes)
                self._history.append(event.client_name, message, min(moment, now))
                self.foreign += 1
            except UnusableMessage as reason:
                self._skip(message, reason)

    def resume(self, connection: Connection) -> None:
        """Queue what a client asked for that came back, before anything live."""
        wanted, connection.resume = connection.resume, None
        if wanted is None:
            return
        now = time.monotonic()
        if wanted.last_event_id is not None:
            replay = self._history.after(connection.client_name, wanted.last_event_id, now)
        else:
            replay = self._history.since(connection.client_name, wanted.since_seconds or 0.0, now)
        if replay.gap:
            self._registry.write(connection, self.gap_frame(replay.gap, wanted.last_event_id))
        if replay.messages:
            self._registry.outbox.replay(connection, replay.messages, functools.partial(self._frame_late, connection))

    def _frame_late(self, connection: Connection, message: bytes) -> bytes:
        # A deadline may have passed while the client read what is before.
        try:
            event = decode_event(message, self._max_event_bytes)
            if has_expired(event, time.time()):
                self.expired += 1
                return b""
            frame = event_frame(event.event_id, payload_line(message))
        except UnusableMessage as reason:
            self._skip(message, reason)
            return b""
        connection.event_count += 1
        self.replayed += 1
        return frame

    def gap_frame(self, gap: Gap, last_event_id: str | None) -> bytes:
        """Frame what tells a client that events may be missing, and count it."""
        self.gaps[gap.reason] += 1
        offset = time.time() - time.monotonic()
        data = {
            "type": "stream-gap",
            "reason": gap.reason.value,
            "lastEventId": last_event_id,
            "from": None if gap.began is None else iso(gap.began + offset),
            "to": iso(gap.ended + offset),
            "podName": self._registry.pod_name,
            "timestamp": now_iso(),
        }
        return named_frame("stream-gap", data)

    def _deliver(self, deliveries: dict[Connection, list[bytes]]) -> None:
        now, write = time.time(), self._registry.write
        for connection, frames in deliveries.items():
            connection.event_count += len(frames)
            connection.last_activity = now
            write(connection, frames[0] if len(frames) == 1 else b"".join(frames))
        if log.isEnabledFor(logging.DEBUG):
            for connection in deliveries:
                log.debug("Event #%d sent to %s", connection.event_count, connection.client_name)

    def _log_foreign(self, name: str) -> None:
        # A name is whatever a publisher wrote: on one line, and not longer than names are.
        name = name[:MAX_NAME_CHARACTERS]
        shown = name if name.isprintable() else repr(name)
        log.debug("Client %s not on this pod (%s) - ignoring", shown, self._registry.pod_name)

    def _skip(self, message: bytes, reason: UnusableMessage) -> None:
        self.unusable += 1
        now = time.monotonic()
        if now < self._unusable_log_due:
            return
        # One line a second names the latest; a publisher gone wrong must not fill a disk.
        self._unusable_log_due = now + UNUSABLE_LOG_SECONDS
        count, self._unusable_logged = self.unusable - self._unusable_logged, self.unusable
        log.warning("Skipped %d unusable message(s); the latest begins %r: %s", count, message[:80], reason)
