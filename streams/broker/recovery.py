"""The pod's link to Redis: both doors as one, and the truth about what was missed.

Pub/Sub forgets what nobody heard; the durable log does not. While the link is down
new clients wait for their greeting; when it is back, whoever may have missed something
is told so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import redis.asyncio

from streams.broker.canary import Canary
from streams.broker.journal import LINK_ERRORS, LogReader
from streams.broker.subscriber import Subscriber
from streams.conf import StreamSettings
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.messages import Gap, GapReason, History

log = logging.getLogger("sse.redis")

# A mark in Redis that somebody uses Pub/Sub on this channel. Where nobody does, a lost
# link lost nothing: the log is read on from where it was.
MARK_SUFFIX = ":pubsub-used"
MARK_LIFE_SECONDS = 7 * 86400
MARK_SECONDS = 60.0
MARK_TIMEOUT_SECONDS = 2.0
# Writes between two turns of the event loop while everybody is told about a gap.
TOLD_AT_ONCE = 200


class Link:
    """Hears the channel and the log for one pod."""

    def __init__(self, conf: StreamSettings, registry: Registry, router: Router, history: History) -> None:
        self._url = conf.redis_url
        self._mark = conf.redis_channel + MARK_SUFFIX
        self._registry = registry
        self._router = router
        self._history = history
        self._heard_before = 0
        # Since when the pod hears the channel, and whether it ever told its clients so.
        self._subscribed_at = 0.0
        self._started = False
        self._deaf_since: float | None = None
        # Whether the log lost entries in the outage that is not told yet, and the last gap that was.
        self._entries_lost = False
        self._told: Gap | None = None
        self._back: asyncio.Task[None] | None = None
        # Set by whoever wants to know that the link is back.
        self.on_back: Callable[[], None] = _ignore
        self.canary = Canary(conf.redis_url, conf.redis_channel, canary_seconds=conf.canary_seconds)
        self.subscriber = Subscriber(
            conf.redis_url,
            conf.redis_channel,
            f"sse-{conf.pod_name}",
            canary_pattern=self.canary.pattern,
            on_messages=self._pubsub,
            on_canary=self.canary.heard,
            on_change=self._changed,
        )
        self.pubsub_received = 0
        self.runs: dict[str, Callable[[], Awaitable[None]]] = {
            "redis": self.subscriber.run,
            "canary": self.canary.run,
            "mark": self._mark_use,
        }
        self.log_reader: LogReader | None = None
        if conf.durable_log:
            self.log_reader = LogReader(
                conf.redis_url,
                conf.redis_channel,
                history_seconds=conf.history_seconds,
                on_messages=self._router.route,
                on_past=self._router.remember,
                on_caught_up=self._caught_up,
                on_loss=self._log_lost,
            )
            self.runs["log"] = self.log_reader.run

    def deafness(self) -> str:
        """Return why this pod may not hear everything now, or an empty string."""
        if not self.subscriber.subscribed:
            return f"not subscribed to Redis: {self.subscriber.last_error}"
        if self.log_reader is not None and not self.log_reader.caught_up:
            return f"the log is not read yet: {self.log_reader.last_error}"
        if not self._registry.subscribed:
            return "catching up with Redis"
        if not self.canary.alive:
            return f"nothing that it publishes comes back since {self.canary.age_seconds:.0f} s"
        return ""

    def _pubsub(self, messages: list[bytes]) -> None:
        self.pubsub_received += len(messages)
        self._router.route(messages)

    def _changed(self, subscribed: bool) -> None:
        if not subscribed:
            self._registry.set_subscribed(False)
            if self._deaf_since is None:
                # Not when Redis was last heard: what a pod reads late may have waited for long, and
                # what Redis still held for it when it cut the link was published before that.
                self._deaf_since = max(self._subscribed_at, self.canary.proven_at)
            if self._back is not None:
                self._back.cancel()
            return
        self._subscribed_at = time.monotonic()
        if self.log_reader is None or self.log_reader.caught_up:
            self._start_back()

    def _caught_up(self) -> None:
        if self.subscriber.subscribed and not self._registry.subscribed:
            self._start_back()

    def _start_back(self) -> None:
        self._back = asyncio.create_task(self._come_back(), name="sse-link-back")

    async def _come_back(self) -> None:
        used = await self._pubsub_used()
        deaf_since, self._deaf_since = self._deaf_since, None
        now = time.monotonic()
        if not self._started:
            self._started = True
            self._history.note_started(self._subscribed_at)
            if not used and self.log_reader is not None:
                # The log was read from before the start, and there is nothing else to miss.
                self._history.note_complete(self.log_reader.complete_since)
        elif deaf_since is not None and (used or self._entries_lost):
            self._entries_lost = False
            await self._tell(self._history.note_gap(deaf_since, now, GapReason.REDIS_OUTAGE))
        self._registry.set_subscribed(True)
        self.on_back()

    def _log_lost(self, since: float, until: float) -> None:
        now = time.monotonic()
        log.error("The log no longer holds what came after %.0f s ago; clients are told.", now - since)
        if self._deaf_since is not None:
            # The link itself is still down: one gap is told for both.
            self._entries_lost, self._deaf_since = True, min(self._deaf_since, since)
        elif self._told is None or self._told.ended < until:
            gap = self._history.note_gap(since, now, GapReason.REDIS_OUTAGE)
            self._telling = asyncio.create_task(self._tell(gap), name="sse-tell-gap")

    async def _tell(self, gap: Gap) -> None:
        self._told = gap
        for number, connection in enumerate(self._registry, 1):
            if connection.greeted and connection.close_reason is None:
                self._registry.write(connection, self._router.gap_frame(gap, None))
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _pubsub_used(self) -> bool:
        """Say whether anybody publishes by Pub/Sub; yes where that cannot be found out."""
        if self.pubsub_received or self.log_reader is None:
            # The Redis that is back may have lost the mark.
            self._heard_before = 0
            return True
        try:
            async with asyncio.timeout(MARK_TIMEOUT_SECONDS), self._client() as client:
                return bool(await client.exists(self._mark))
        except (*LINK_ERRORS, TimeoutError):
            return True

    async def _mark_use(self) -> None:
        due = 0.0
        while True:
            await asyncio.sleep(1.0)
            if self.pubsub_received == self._heard_before or (self._heard_before and time.monotonic() < due):
                continue
            try:
                async with self._client() as client:
                    await client.set(self._mark, "1", ex=MARK_LIFE_SECONDS)
                self._heard_before, due = self.pubsub_received, time.monotonic() + MARK_SECONDS
            except LINK_ERRORS as error:
                log.debug("The use of Pub/Sub was not marked: %s", error)

    def _client(self) -> redis.asyncio.Redis:
        return redis.asyncio.Redis.from_url(self._url, socket_connect_timeout=MARK_TIMEOUT_SECONDS)


def _ignore() -> None:
    pass
