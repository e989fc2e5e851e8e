"""Heartbeats: each connection has its own moment in the period, so that none come all at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from streams.wire.frames import comment_frame
from streams.wire.timestamps import now_iso

logger = logging.getLogger("sse.heartbeat")

# A peer is declared dead a little before DEAD_AFTER_SECONDS is over, so that it is
# off the registry within that time and not shortly after it.
DEAD_CHECK_SHARE = 0.9


class Heartbeat:
    """Goes round the registry's slots once in a period.

    A connection gets its comment when its slot comes, and is looked at once more when
    a living machine would long have acknowledged it.
    """

    def __init__(self, registry: Registry, *, heartbeat_seconds: float, dead_after_seconds: float) -> None:
        self.sent = 0
        self._registry = registry
        self._tick_seconds = heartbeat_seconds / len(registry.slots)
        self._check_seconds = dead_after_seconds * DEAD_CHECK_SHARE

    async def run(self) -> None:
        """Tick until cancelled; a late tick is followed by the ones that it held up."""
        loop = asyncio.get_running_loop()
        started, tick = loop.time(), 0
        while True:
            tick += 1
            await asyncio.sleep(started + tick * self._tick_seconds - loop.time())
            self.beat(tick)

    def beat(self, tick: int) -> None:
        """Serve the slot of one tick, and check the slot that was served a while ago."""
        slots = self._registry.slots
        connections = slots[tick % len(slots)]
        if connections:
            frame = comment_frame(f"heartbeat {now_iso()}")
            for connection in list(connections):
                try:
                    self._registry.write(connection, frame)
                except Exception:
                    self._registry.fail(connection)
            self.sent += len(connections)
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("Sent to %d client(s)", len(connections))
        self._close_dead(slots[(tick - round(self._check_seconds / self._tick_seconds)) % len(slots)])

    def _close_dead(self, connections: Iterable[Connection]) -> None:
        for connection in list(connections):
            # One tick of grace: the heartbeat may have left that much after its time.
            if connection.writer.silent_seconds() >= self._check_seconds - self._tick_seconds:
                self._registry.close(connection, CloseReason.DEAD_PEER)
