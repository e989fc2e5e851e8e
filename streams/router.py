"""Message → who gets it. Every pod hears every event and keeps those of its own clients."""

from __future__ import annotations

import logging
import time

from streams.errors import UnusableMessage
from streams.events import decode_event
from streams.frames import event_frame
from streams.registry import Registry

log = logging.getLogger("sse.sse")

UNUSABLE_LOG_SECONDS = 1.0


class Router:
    """Hands each message of the channel to the connection of the client that it names."""

    def __init__(self, registry: Registry, *, max_event_bytes: int) -> None:
        self.received = 0
        self.delivered = 0
        self.foreign = 0
        self.unusable = 0
        self._registry = registry
        self._max_event_bytes = max_event_bytes
        self._unusable_logged = 0
        self._unusable_log_due = 0.0

    def route(self, message: bytes) -> None:
        """Deliver one message. Never raises: a message that cannot be used is counted and skipped."""
        self.received += 1
        try:
            event = decode_event(message, self._max_event_bytes)
        except UnusableMessage as reason:
            self._skip(message, reason)
            return
        connection = self._registry.get(event.client_name)
        if connection is None:
            self.foreign += 1
            if log.isEnabledFor(logging.DEBUG):
                log.debug("Client %s not on this pod (%s) - ignoring", event.client_name, self._registry.pod_name)
            return
        self.delivered += 1
        connection.event_count += 1
        connection.last_activity = time.time()
        self._registry.write(connection, event_frame(event))
        if log.isEnabledFor(logging.DEBUG):
            log.debug("Event #%d sent to %s", connection.event_count, event.client_name)

    def _skip(self, message: bytes, reason: UnusableMessage) -> None:
        self.unusable += 1
        now = time.monotonic()
        if now < self._unusable_log_due:
            return
        # One line a second names the latest; a publisher gone wrong must not fill a disk.
        self._unusable_log_due = now + UNUSABLE_LOG_SECONDS
        count, self._unusable_logged = self.unusable - self._unusable_logged, self.unusable
        log.warning("Skipped %d unusable message(s); the latest begins %r: %s", count, message[:80], reason)
