"""Both ingresses of a pod, wired to its recovery: the subscription, the journal's reader and the canary."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable

from streams.broker.canary import Canary
from streams.broker.channel_use import ChannelUse
from streams.broker.clients import LINK_ERRORS
from streams.broker.journal.entries import Taken
from streams.broker.journal.marks import MARKS_KEPT
from streams.broker.journal.reader import JournalReader
from streams.broker.peers import Peers
from streams.broker.primary import Primary
from streams.broker.subscriber import Subscriber
from streams.conf import StreamSettings
from streams.delivery.recovery import Recovery
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.coverage import CHANNEL, Ingress
from streams.history.losses import Loss
from streams.history.messages import History
from streams.wire.pods import PodMessage

logger = logging.getLogger("sse.redis")

# Writes between two turns of the event loop while everybody is told about a gap.
TOLD_AT_ONCE = 200
# So long a subscription that is back waits for the journal's reader, which lost the same Redis.
TOGETHER_SECONDS = 2.5
# How often it is looked whether clients that came back have waited long enough.
SETTLE_SECONDS = 0.01
# The journal's reader has an answer every second; beyond this the pod is not ready.
JOURNAL_SILENT_SECONDS = 2.0


class Ingresses:
    """Hears the channel and the journal for one pod."""

    def __init__(self, conf: StreamSettings, registry: Registry, router: Router, history: History) -> None:
        self._canary_seconds = conf.canary_seconds
        self._registry = registry
        # What is to be marked for pods that start later.
        self._unmarked: deque[Loss] = deque(maxlen=MARKS_KEPT)
        self._subscribed_at = 0.0
        self.primary = Primary(conf.redis_url, on_moved=self._moved)
        self._use = ChannelUse(conf.redis_url, conf.redis_channel, self.primary)
        # Not the pod's name, which two pods may share by mistake.
        self.recovery = Recovery(registry, router, history, life=secrets.token_hex(8))
        self.recovery.resumption.on_due = self._look
        self.peers = Peers(self.recovery.life, conf.pod_name)
        self.canary = Canary(
            conf.redis_url,
            conf.redis_channel,
            self.recovery.life,
            primary=self.primary,
            canary_seconds=conf.canary_seconds,
            statement=lambda: self.recovery.statement(conf.pod_name),
            on_messages=self._pod_messages,
            on_counted=self.recovery.counted,
        )
        self.subscriber = Subscriber(
            conf.redis_url,
            conf.redis_channel,
            f"sse-{conf.pod_name}",
            canary_pattern=self.canary.pattern,
            on_messages=self._channel,
            on_canary=self.canary.heard,
            on_change=self._changed,
            primary=self.primary,
        )
        self.journal = self._journal_reader(conf) if conf.durable_log else None
        self._back = asyncio.Event()
        self._waiting = asyncio.Event()
        self._mark_due = asyncio.Event()
        self.runs: dict[str, Callable[[], Awaitable[None]]] = {
            "redis": self.subscriber.run,
            "canary": self.canary.run,
            "name": self.primary.watch_name,
            "mark": self._mark_use,
            "recovery": self._recover,
            "handover": self._settle,
        }
        self.primary.connections = [self.canary, self.subscriber]
        if self.journal is not None:
            self.runs["journal"] = self.journal.run
            self.primary.connections.append(self.journal)

    def _journal_reader(self, conf: StreamSettings) -> JournalReader:
        return JournalReader(
            conf.redis_url,
            conf.redis_channel,
            history_seconds=conf.history_seconds,
            on_taken=self._taken,
            on_lost=self._lost,
            on_caught_up=lambda: self._back.set(),
            primary=self.primary,
        )

    @property
    def canary_age_seconds(self) -> float:
        """Return how long ago the last canary that came back was published."""
        return time.monotonic() - self.recovery.proved_at[Ingress.CHANNEL]

    def unready_reason(self) -> str:
        """Return why this pod may not hear everything now, or an empty string."""
        if not self.subscriber.subscribed:
            return f"not subscribed to Redis: {self.subscriber.last_error}"
        if self.journal is not None and not self.journal.caught_up:
            return f"the journal is not read yet: {self.journal.last_error}"
        if not self._registry.subscribed:
            return "catching up with Redis"
        if self.canary_age_seconds > self._canary_seconds:
            return f"nothing that it publishes comes back since {self.canary_age_seconds:.0f} s"
        if self.journal is not None and self.journal.silent_seconds > JOURNAL_SILENT_SECONDS:
            return f"the journal gives no answer since {self.journal.silent_seconds:.0f} s: {self.journal.last_error}"
        return ""

    def _channel(self, messages: list[bytes]) -> None:
        # Every read of events comes this way, and many have a single one.
        recovery = self.recovery
        self._use.received += len(messages)
        since = recovery.proven[CHANNEL]
        try:
            recovery.take_channel(messages)
        except Exception:
            self._miss(Ingress.CHANNEL, since)
        if not recovery.telling.all_told:
            self._look()

    def _taken(self, taken: Taken) -> None:
        if taken.lost_since is not None:
            self._lost(taken.lost_since)
        since = self.recovery.proven[Ingress.JOURNAL]
        try:
            if taken.past:
                self.recovery.take_past(taken.messages, taken.moments, taken.unsure_since)
            elif taken.messages:
                if self.recovery.channel_used and not self._use.received:
                    self._mark_due.set()
                self.recovery.take_journal(taken.messages, taken.moments, taken.unsure_since)
        except Exception:
            self._miss(Ingress.JOURNAL, since)
        if self.journal is not None:
            cursor = self.journal.cursor
            self.recovery.prove_journal(cursor.proven_at, cursor.oldest, cursor.early_seconds)
        if not self._registry.subscribed:
            self._back.set()
        self._look()

    def _miss(self, ingress: Ingress, since: float) -> None:
        """Name as missing what was being delivered when this pod failed; then it goes on."""
        # The handler is the caller's.
        logger.exception(  # noqa: LOG004
            "What was read from the %s could not be delivered; clients are told.", ingress.name.lower()
        )
        self.recovery.miss(ingress, since)

    def _lost(self, since: float) -> None:
        logger.error(
            "The journal no longer holds what came after %.0f s ago; clients are told.", time.monotonic() - since
        )
        self.recovery.journal_lost(since)
        self._mark(Ingress.JOURNAL, since)
        self._back.set()

    def _mark(self, ingress: Ingress, since: float) -> None:
        self._unmarked.append(Loss(ingress, since, time.monotonic()))
        self._mark_due.set()

    def _pod_messages(self, messages: list[PodMessage]) -> None:
        self.peers.note(messages)
        self.recovery.take_pod_messages(messages)
        if not self._registry.subscribed:
            self._back.set()
        self._look()

    def _changed(self, subscribed: bool) -> None:
        if subscribed:
            self._subscribed_at = time.monotonic()
            self.recovery.subscribed()
            self._look()
            self._back.set()
        else:
            self.recovery.disconnected()

    def _moved(self, since: float) -> None:
        self.recovery.distrust(since)
        for ingress in Ingress:
            self._mark(ingress, since)
        self._back.set()

    def _look(self) -> None:
        """Send what is to be said to other pods, and see to the clients that wait for their answers."""
        recovery = self.recovery
        handover = recovery.handover
        if messages := handover.outgoing:
            handover.outgoing = []
            self.canary.say(messages)
        if handover.waits:
            self._waiting.set()
        if recovery.telling.due:
            self._back.set()

    async def _recover(self) -> None:
        """Come back after each outage, and tell the clients, until cancelled; may be begun again at any point."""
        # An Event belongs to the loop that waits on it; what was due before is looked for first.
        self._back = asyncio.Event()
        while True:
            if self._may_come_back():
                self.recovery.channel_used = await self._channel_used()
                # Redis may have gone again meanwhile.
                if self._may_come_back():
                    self._come_back()
            while self.recovery.telling.tell(TOLD_AT_ONCE):  # noqa: ASYNC110 - events go out between
                await asyncio.sleep(0)
            self._look()
            if not self._may_come_back():
                await self._until_due()

    def _come_back(self) -> None:
        if self.journal is None:
            self.recovery.came_back(None)
        else:
            cursor = self.journal.cursor
            self.recovery.came_back(cursor.complete_since, cursor.lost_before(), from_the_first=cursor.from_the_first)

    async def _until_due(self) -> None:
        late = None
        if self.subscriber.subscribed and not self._registry.subscribed and self.journal is not None:
            late = max(0.0, self._subscribed_at + TOGETHER_SECONDS - time.monotonic()) or None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(late):
                await self._back.wait()
        self._back.clear()

    def _may_come_back(self) -> bool:
        if self._registry.subscribed or not self.subscriber.subscribed or not self.recovery.heard_itself:
            return False
        if self.journal is None:
            return True
        # What the journal lost in the same outage is told in the same gap.
        together = self.journal.answered_at > self._subscribed_at
        late = time.monotonic() >= self._subscribed_at + TOGETHER_SECONDS
        return self.journal.caught_up and (late or together)

    async def _settle(self) -> None:
        """Give replays to the clients whose wait is over, until cancelled."""
        self._waiting = asyncio.Event()
        while True:
            while len(self.recovery.handover):
                await asyncio.sleep(SETTLE_SECONDS)
                while self.recovery.resumption.settle():  # noqa: ASYNC110 - events go out between
                    await asyncio.sleep(0)
            self._waiting.clear()
            await self._waiting.wait()

    async def _channel_used(self) -> bool:
        return await self._use.is_seen(journal_read=self.journal is not None and self.journal.cursor.read > 0)

    async def _mark_use(self) -> None:
        self._mark_due = asyncio.Event()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._mark_due.wait()
            self._mark_due.clear()
            await self._mark_losses()
            if self.recovery.channel_used and not self._use.received:
                # The journal may have come into use since the start.
                self.recovery.channel_used = await self._channel_used()
            await self._use.renew()

    async def _mark_losses(self) -> None:
        losses = list(self._unmarked)
        if not losses or self.journal is None:
            return
        try:
            await self.journal.mark(losses)
            self._unmarked = deque((loss for loss in self._unmarked if loss not in losses), MARKS_KEPT)
        except LINK_ERRORS as error:
            logger.debug("The loss of entries was not marked: %s", error)
