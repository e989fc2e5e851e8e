"""Whether anybody publishes by Pub/Sub: a mark in Redis, which pods renew while events come from the channel."""

from __future__ import annotations

import asyncio
import logging
import time

import redis.asyncio

from streams.broker.clients import LINK_ERRORS, async_client
from streams.broker.primary import Primary

logger = logging.getLogger("sse.redis")

MARK_SUFFIX = ":pubsub-used"
MARK_LIFE_SECONDS = 7 * 86400
MARK_SECONDS = 60.0
MARK_TIMEOUT_SECONDS = 2.0


class ChannelUse:
    """The use of one channel: what this pod has read from it, and the mark of all pods.

    Where nobody uses it, a lost link lost nothing: the journal is read on from where it was.
    """

    def __init__(self, url: str, channel: str, primary: Primary) -> None:
        self.received = 0
        self._url = url
        self._mark = channel + MARK_SUFFIX
        self._primary = primary
        self._marked = 0
        self._due = 0.0
        # Up to when a mark that was seen may be there, if Redis does not lose it.
        self._seen_until = 0.0

    async def is_seen(self, *, journal_read: bool) -> bool:
        """Say whether anybody uses it; yes where that cannot be found out, or nothing was read from the journal."""
        if self.received or not journal_read:
            # The Redis that is back may have lost the mark.
            self._marked = 0
            return True
        try:
            async with asyncio.timeout(MARK_TIMEOUT_SECONDS), self._client() as client:
                if await client.exists(self._mark):
                    self._seen_until = time.monotonic() + MARK_LIFE_SECONDS
        except (*LINK_ERRORS, TimeoutError):
            return True
        # The Redis that is back may have lost the mark, and something may have been received meanwhile.
        return self.received > 0 or time.monotonic() < self._seen_until

    async def renew(self) -> None:
        """Set the mark where more was read since the last time, but once in MARK_SECONDS."""
        if self.received == self._marked or (self._marked and time.monotonic() < self._due):
            return
        try:
            async with self._client() as client:
                await client.set(self._mark, "1", ex=MARK_LIFE_SECONDS)
            self._marked, self._due = self.received, time.monotonic() + MARK_SECONDS
        except LINK_ERRORS as error:
            logger.debug("The use of Pub/Sub was not marked: %s", error)

    def _client(self) -> redis.asyncio.Redis:
        return async_client(self._url, connect_seconds=MARK_TIMEOUT_SECONDS, on_open=self._primary.open)
