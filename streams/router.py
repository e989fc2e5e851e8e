"""Message → who gets it. Every pod hears every event and keeps those of its own clients."""

from __future__ import annotations

import logging
import time

from streams.connection import Connection
from streams.errors import UnusableMessage
from streams.events import MAX_NAME_CHARACTERS, decode_event, payload_line
from streams.frames import event_frame
from streams.registry import Registry

log = logging.getLogger("sse.sse")

UNUSABLE_LOG_SECONDS = 1.0


class Router:
    """Hands each message of the channel to the connection of the client that it names."""

    def __init__(self, registry: Registry, *, max_event_bytes: int) -> None:
        self.received = 0
        self.delivered = 0
        self.unusable = 0
        self._registry = registry
        self._max_event_bytes = max_event_bytes
        self._unusable_logged = 0
        self._unusable_log_due = 0.0

    @property
    def foreign(self) -> int:
        """Return how many events were for clients that are not on this pod."""
        return self.received - self.delivered - self.unusable

    def route(self, messages: list[bytes]) -> None:
        """Deliver the messages that were read from Redis at once, in their order.

        A message that cannot be used is counted and skipped. The events for one client
        go out in one write: it is the system call that costs.
        """
        self.received += len(messages)
        max_event_bytes, find = self._max_event_bytes, self._registry.get
        debug = log.isEnabledFor(logging.DEBUG)
        deliveries: dict[Connection, list[bytes]] = {}
        for message in messages:
            try:
                event = decode_event(message, max_event_bytes)
                connection = find(event.client_name)
                if connection is not None:
                    frame = event_frame(event.event_id, payload_line(message))
                    frames = deliveries.get(connection)
                    if frames is None:
                        deliveries[connection] = [frame]
                    else:
                        frames.append(frame)
                elif debug:
                    # A name is whatever a publisher wrote: on one line, and not longer than names are.
                    name = event.client_name[:MAX_NAME_CHARACTERS]
                    shown = name if name.isprintable() else repr(name)
                    log.debug("Client %s not on this pod (%s) - ignoring", shown, self._registry.pod_name)
            except UnusableMessage as reason:
                self._skip(message, reason)
        if deliveries:
            self._deliver(deliveries)

    def _deliver(self, deliveries: dict[Connection, list[bytes]]) -> None:
        now, write = time.time(), self._registry.write
        for connection, frames in deliveries.items():
            self.delivered += len(frames)
            connection.event_count += len(frames)
            connection.last_activity = now
            write(connection, frames[0] if len(frames) == 1 else b"".join(frames))
        if log.isEnabledFor(logging.DEBUG):
            for connection in deliveries:
                log.debug("Event #%d sent to %s", connection.event_count, connection.client_name)

    def _skip(self, message: bytes, reason: UnusableMessage) -> None:
        self.unusable += 1
        now = time.monotonic()
        if now < self._unusable_log_due:
            return
        # One line a second names the latest; a publisher gone wrong must not fill a disk.
        self._unusable_log_due = now + UNUSABLE_LOG_SECONDS
        count, self._unusable_logged = self.unusable - self._unusable_logged, self.unusable
        log.warning("Skipped %d unusable message(s); the latest begins %r: %s", count, message[:80], reason)
