"""The proof that a pod hears: what it publishes to itself through Redis comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import time

import redis.asyncio

from streams.broker.journal import LINK_ERRORS

log = logging.getLogger("sse.redis")

# Three tries fit into the time after which the pod counts as deaf.
TRIES = 3
GLOB_MARKS = re.compile(r"[*?\[\]\\^]")


class Canary:
    """Publishes on a channel of its own, which no client ever sees."""

    def __init__(self, url: str, channel: str, *, canary_seconds: float) -> None:
        # One pattern for all pods, which rules for Redis users can name; each hears the others' too.
        self.pattern = GLOB_MARKS.sub(r"\\\g<0>", channel) + ":canary:*"
        self._channel = f"{channel}:canary:{secrets.token_hex(8)}"
        # When the last one that came back was published: whatever Redis took before it has been heard.
        self.proven_at = time.monotonic()
        self._url = url
        self._canary_seconds = canary_seconds

    @property
    def age_seconds(self) -> float:
        """Return how long ago the last one that came back was published."""
        return time.monotonic() - self.proven_at

    @property
    def alive(self) -> bool:
        """Say whether one that was published lately came back."""
        return self.age_seconds <= self._canary_seconds

    def heard(self, message: bytes) -> None:
        """Note one that came back; another pod's is ignored."""
        channel, _space, published_at = message.partition(b" ")
        if channel == self._channel.encode():
            with contextlib.suppress(ValueError):
                self.proven_at = float(published_at)

    async def run(self) -> None:
        """Publish one after the other until cancelled."""
        pause = self._canary_seconds / TRIES
        client = redis.asyncio.Redis.from_url(self._url, socket_connect_timeout=pause, socket_timeout=pause)
        try:
            while True:
                try:
                    await client.publish(self._channel, f"{self._channel} {time.monotonic()}")
                except LINK_ERRORS as error:
                    # The subscriber says it louder; silence here is what turns readiness red.
                    log.debug("The canary was not published: %s", error)
                await asyncio.sleep(pause)
        finally:
            await client.aclose()
