"""The pod among the others: what pods tell each other goes out and comes in over Django's channel layer.

Nothing here relies on it: what is lost is found out by the roster, when claims are made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Any

import msgspec
from channels.layers import get_channel_layer

from streams.broker.clients import LINK_ERRORS
from streams.footprint import absent
from streams.logs import Sparingly
from streams.roster.messages import Told
from streams.tasks import Backoff

# The layer takes in a library for encryption where it finds one: 3 MiB for nothing.
with absent("cryptography.fernet"):
    import channels_redis.pubsub  # noqa: F401 - so that get_channel_layer() finds it loaded

logger = logging.getLogger("sse.redis")

ALL = "pods"
# What a pod sends to all comes back to it; the layer reconnects in silence.
GREET_SECONDS = 2.0
UNCONFIRMED_SECONDS = 6.0
RETRY_SECONDS = (0.4, 0.8)
LEAVE_SECONDS = 1.0


class Unconfirmed(Exception):
    """What this pod sends to the others does not come back to it."""


class Membership:
    """Keeps the pod among the others for as long as it lives; `on_told` takes what they say."""

    def __init__(self, life: str, pod_name: str, on_told: Callable[[Told], None]) -> None:
        self.unusable = self.errors = 0
        self.hearing = False
        # Called when the others are heard again: what they told this pod meanwhile is lost.
        self.on_hearing: Callable[[], None] = _ignore
        self._life = life
        self._greeting = Told(life, pod_name)
        self._on_told = on_told
        self._outgoing: list[tuple[str, Told]] = []
        self._due = asyncio.Event()
        self._heard_at = 0.0
        self._backoff = Backoff(*RETRY_SECONDS)
        self._errors_said = Sparingly()

    def tell(self, messages: list[tuple[str, Told]]) -> None:
        """Send messages soon, each to one life, or to all where that is an empty string."""
        self._outgoing += messages
        self._due.set()

    async def run(self) -> None:
        """Take part until cancelled; begin anew when Redis goes."""
        while True:
            try:
                await self._take_part(get_channel_layer())
            except* (*LINK_ERRORS, Unconfirmed) as failed:
                self._log_error(failed.exceptions[0])
            await self._backoff.pause()

    async def _take_part(self, layer: Any) -> None:
        try:
            channel = await layer.new_channel("pod.")
            await layer.group_add(ALL, channel)
            await layer.group_add(group_of(self._life), channel)
            # An Event belongs to the loop that first waits on it, so it is made here.
            self._due, self._heard_at = asyncio.Event(), time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(layer, channel), name="sse-members-receive")
                await self._send(layer)
        finally:
            self.hearing = False
            # Lets go of the layer's own task and connections, whatever became of them.
            with contextlib.suppress(*LINK_ERRORS):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await layer.flush()

    async def _send(self, layer: Any) -> None:
        greeted_at = -inf
        while True:
            self._due.clear()
            messages, self._outgoing = self._outgoing, []
            pause = GREET_SECONDS if self.hearing else GREET_SECONDS / 20
            # What goes to one life does not come back, however much of it there is.
            if not messages or time.monotonic() - greeted_at >= pause:
                messages.append(("", self._greeting))
                greeted_at = time.monotonic()
            for life, told in messages:
                await layer.group_send(group_of(life), msgspec.to_builtins(told))
            if time.monotonic() - self._heard_at > UNCONFIRMED_SECONDS:
                raise Unconfirmed(f"what this pod sends has not come back for {UNCONFIRMED_SECONDS:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._due.wait()

    async def _receive(self, layer: Any, channel: str) -> None:
        while True:
            try:
                told = msgspec.convert(await layer.receive(channel), Told)
            except (ValueError, msgspec.ValidationError):
                self.unusable += 1
                continue
            if told.life == self._life:
                self._confirm()
            self._on_told(told)
            # A message may evict hundreds; events go out between two of them.
            await asyncio.sleep(0)

    def _confirm(self) -> None:
        self._heard_at = time.monotonic()
        if not self.hearing:
            self.hearing = True
            self._backoff.reset()
            logger.info("Hearing the other pods")
            self.on_hearing()

    def _log_error(self, error: BaseException) -> None:
        self.errors += 1
        if times := self._errors_said.due():
            logger.warning(
                "Cannot hear the other pods: %s (tries: %d). Until then a client that moves may have a stream on each "
                "of two pods, for up to half a minute.",
                error,
                times,
            )


def group_of(life: str) -> str:
    """Return the layer's group of one life, or of all pods."""
    return f"life-{life}" if life else ALL


def _ignore() -> None:
    pass
