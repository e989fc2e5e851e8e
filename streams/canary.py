"""The proof that a pod hears: what it publishes to itself through Redis comes back."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time

import redis.asyncio

from streams.durable import LINK_ERRORS

log = logging.getLogger("sse.redis")

# Three tries fit into the time after which the pod counts as deaf.
TRIES = 3


class Canary:
    """Publishes on a channel of its own, which only this pod subscribes to and no client ever sees."""

    def __init__(self, url: str, channel: str, *, canary_seconds: float) -> None:
        self.channel = f"{channel}:canary:{secrets.token_hex(8)}"
        self.round_trip_seconds = 0.0
        self.heard_at = time.monotonic()
        self._url = url
        self._canary_seconds = canary_seconds

    @property
    def age_seconds(self) -> float:
        """Return how long ago the last one came back."""
        return time.monotonic() - self.heard_at

    @property
    def alive(self) -> bool:
        """Say whether one came back lately."""
        return self.age_seconds <= self._canary_seconds

    def heard(self, message: bytes) -> None:
        """Note one that came back; it holds the moment when it left."""
        self.heard_at = time.monotonic()
        self.round_trip_seconds = self.heard_at - float(message)

    async def run(self) -> None:
        """Publish one after the other until cancelled."""
        pause = self._canary_seconds / TRIES
        client = redis.asyncio.Redis.from_url(self._url, socket_connect_timeout=pause, socket_timeout=pause)
        try:
            while True:
                try:
                    await client.publish(self.channel, repr(time.monotonic()))
                except LINK_ERRORS as error:
                    # The subscriber says it louder; silence here is what turns readiness red.
                    log.debug("The canary was not published: %s", error)
                await asyncio.sleep(pause)
        finally:
            await client.aclose()
