"""The pod among the others: announcements go out and come in over Django's channel layer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import Any

import msgspec
from channels.layers import get_channel_layer

from streams.broker.clients import LINK_ERRORS
from streams.cluster.ownership import Announcement, Order
from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.footprint import absent
from streams.logs import Sparingly
from streams.tasks import Backoff

# The layer takes in a library for encryption where it finds one: 3 MiB for nothing.
with absent("cryptography.fernet"):
    import channels_redis.pubsub  # noqa: F401 - so that get_channel_layer() finds it loaded

logger = logging.getLogger("sse.redis")

GROUP = "pods"
# The first connect after a pause is announced at once, so that the order is that of the
# connects; what follows it within this time goes into one message.
FLUSH_SECONDS = 0.02
# A timer may ring a little early.
SHORTEST_PAUSE_SECONDS = 0.01
# Three presence beats that did not come back.
UNCONFIRMED_SECONDS = 6.0
RETRY_LOW_SECONDS = 0.4
RETRY_HIGH_SECONDS = 0.8
# All pods lose the same Redis and come back at once, but need not send their snapshots at once.
SNAPSHOT_SPREAD_SECONDS = 0.5
LEAVE_SECONDS = 1.0


class Unconfirmed(Exception):
    """What this pod sends to the others does not come back to it."""


class Cluster:
    """Keeps the pod among the others for as long as it lives.

    The layer reconnects in silence, and what it missed is gone. Nothing here relies on
    it: a pod that cannot send, or whose own messages do not come back, begins anew, and
    every message tells whether one before it was missed.
    """

    def __init__(self, registry: Registry) -> None:
        self.order = Order(registry)
        self.order.on_due = self._wake
        self.unusable = 0
        self._due = asyncio.Event()
        self._spread_seconds = 0.0
        self._backoff = Backoff(RETRY_LOW_SECONDS, RETRY_HIGH_SECONDS)
        self._errors = Sparingly()

    def announce(self, connection: Connection) -> None:
        """Tell the other pods that a connection opened."""
        self.order.announce(connection)
        self._wake()

    def _wake(self) -> None:
        self._due.set()

    async def run(self) -> None:
        """Take part until cancelled; begin anew when Redis goes."""
        while True:
            try:
                await self._take_part(get_channel_layer())
            except* (*LINK_ERRORS, Unconfirmed) as failed:
                self._log_error(failed.exceptions[0])
            self._spread_seconds = SNAPSHOT_SPREAD_SECONDS
            await self._backoff.pause()

    async def _take_part(self, layer: Any) -> None:
        try:
            channel = await layer.new_channel("pod.")
            await layer.group_add(GROUP, channel)
            # An Event belongs to the loop that first waits on it, so it is made here.
            self._due = asyncio.Event()
            now = time.monotonic()
            self.order.begin(now, now + random.uniform(0, self._spread_seconds))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(layer, channel), name="sse-cluster-receive")
                await self._send(layer)
        finally:
            self.order.hearing = False
            # Lets go of the layer's own task and connections, whatever became of them.
            with contextlib.suppress(*LINK_ERRORS):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await layer.flush()

    async def _send(self, layer: Any) -> None:
        while True:
            self._due.clear()
            now, sent = time.monotonic(), False
            while (message := self.order.next_message(now)) is not None:
                await layer.group_send(GROUP, msgspec.to_builtins(message))
                self.order.sent(message)
                sent = True
            if now - self.order.heard_at > UNCONFIRMED_SECONDS:
                raise Unconfirmed(f"what this pod sends has not come back for {UNCONFIRMED_SECONDS:g} s")
            if sent:
                await asyncio.sleep(FLUSH_SECONDS)
            pause = min(self.order.due_at(), self.order.heard_at + UNCONFIRMED_SECONDS) - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, SHORTEST_PAUSE_SECONDS)):
                    await self._due.wait()

    async def _receive(self, layer: Any, channel: str) -> None:
        while True:
            try:
                announcement = msgspec.convert(await layer.receive(channel), Announcement)
            except (ValueError, msgspec.ValidationError):
                self.unusable += 1
                continue
            unconfirmed = not self.order.hearing
            self.order.hear(announcement, time.monotonic())
            self._due.set()
            if unconfirmed and self.order.hearing:
                self._backoff.reset()
                logger.info("Hearing the other pods")
            # A message may evict hundreds; events go out between two of them.
            await asyncio.sleep(0)

    def _log_error(self, error: BaseException) -> None:
        if times := self._errors.due():
            logger.warning(
                "Cannot hear the other pods: %s (tries: %d). Until then a client may have a stream on each of them.",
                error,
                times,
            )
