"""The pod among the others: what it announces goes out over Django's channel layer, and what it hears comes in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import Any

import msgspec
from channels.layers import get_channel_layer

from streams.broker.journal import LINK_ERRORS
from streams.cluster.ownership import Announcement, Order
from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.footprint import absent

# The layer takes in a library for encryption where it finds one: 3 MiB for nothing.
with absent("cryptography.fernet"):
    import channels_redis.pubsub  # noqa: F401 - so that get_channel_layer() finds it loaded

log = logging.getLogger("sse.redis")

GROUP = "pods"
# The first connect after a pause is announced at once, so that the order is that of the
# connects; what follows it within this time goes into one message.
FLUSH_SECONDS = 0.02
# A timer may ring a little early.
SHORTEST_PAUSE_SECONDS = 0.01
# Three beats that did not come back.
DEAF_SECONDS = 6.0
RETRY_SECONDS = (0.2, 0.6)
# All pods lose the same Redis and come back at once, but need not call their rolls at once.
ROLL_SPREAD_SECONDS = 0.5
LEAVE_SECONDS = 1.0
ERROR_LOG_SECONDS = 10.0


class Deaf(Exception):
    """This pod speaks to the others and does not hear itself."""


class Cluster:
    """Keeps the pod among the others for as long as it lives.

    The layer reconnects in silence, and what it missed is gone. Nothing here relies on
    it: a pod that cannot speak, or does not hear itself, begins anew, and every
    message tells whether one before it was missed.
    """

    def __init__(self, registry: Registry) -> None:
        self.order = Order(registry)
        self.unusable = 0
        self._due = asyncio.Event()
        self._spread_seconds = 0.0
        self._error_log_due = 0.0

    @property
    def hearing(self) -> bool:
        """Say whether the pod hears what is announced; without, it stands alone."""
        return self.order.hearing

    def announce(self, connection: Connection) -> None:
        """Tell the other pods that a connection opened."""
        self.order.announce(connection)
        self._due.set()

    async def run(self) -> None:
        """Take part until cancelled; begin anew when Redis goes."""
        while True:
            try:
                await self._take_part(get_channel_layer())
            except* (*LINK_ERRORS, Deaf) as failed:
                self._log_error(failed.exceptions[0])
            self._spread_seconds = ROLL_SPREAD_SECONDS
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))

    async def _take_part(self, layer: Any) -> None:
        try:
            channel = await layer.new_channel("pod.")
            await layer.group_add(GROUP, channel)
            # One of this loop.
            self._due = asyncio.Event()
            now = time.monotonic()
            self.order.begin(now, now + random.uniform(0, self._spread_seconds))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(layer, channel), name="sse-cluster-ear")
                await self._speak(layer)
        finally:
            self.order.hearing = False
            # Lets go of the layer's own task and connections, whatever became of them.
            with contextlib.suppress(*LINK_ERRORS):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await layer.flush()

    async def _speak(self, layer: Any) -> None:
        while True:
            self._due.clear()
            now, spoke = time.monotonic(), False
            while (message := self.order.next_message(now)) is not None:
                await layer.group_send(GROUP, msgspec.to_builtins(message))
                self.order.sent(message)
                spoke = True
            if now - self.order.heard_at > DEAF_SECONDS:
                raise Deaf(f"what this pod says has not come back for {DEAF_SECONDS:g} s")
            if spoke:
                await asyncio.sleep(FLUSH_SECONDS)
            pause = min(self.order.due_at(), self.order.heard_at + DEAF_SECONDS) - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, SHORTEST_PAUSE_SECONDS)):
                    await self._due.wait()

    async def _listen(self, layer: Any, channel: str) -> None:
        while True:
            try:
                heard = msgspec.convert(await layer.receive(channel), Announcement)
            except (ValueError, msgspec.ValidationError):
                self.unusable += 1
                continue
            alone = not self.order.hearing
            self.order.hear(heard, time.monotonic())
            self._due.set()
            if alone and self.order.hearing:
                log.info("Hearing the other pods")
            # A message may evict hundreds; events go out between two of them.
            await asyncio.sleep(0)

    def _log_error(self, error: BaseException) -> None:
        now = time.monotonic()
        if now >= self._error_log_due:
            self._error_log_due = now + ERROR_LOG_SECONDS
            log.warning("Cannot hear the other pods: %s. Until then a client may have a stream on each of them.", error)
