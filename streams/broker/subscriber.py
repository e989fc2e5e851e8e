"""The pod's subscription to the Redis channel: one connection that is kept up and says when it is not."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable

from streams.broker import clients, redis_url
from streams.broker.primary import Primary
from streams.broker.side import QUESTIONS
from streams.broker.subscription import LinkLost, NoPrimary, Subscription
from streams.conf import redis_place
from streams.logs import Sparingly
from streams.tasks import Backoff

logger = logging.getLogger("sse.redis")

# Redis answers a ping at once; one that leaves two unanswered is as good as gone,
# whatever TCP says. One may be unread because this process itself stood still.
PING_SECONDS = 3.0
UNANSWERED_PINGS = 2
RETRY_LOW_SECONDS = 0.1
RETRY_HIGH_SECONDS = 1.0
CLIENT_NAME_MARKS = re.compile(r"[^!-~]")


class Outages:
    """How often and for how long the pod was not subscribed; it begins in one, which is not counted."""

    def __init__(self) -> None:
        self.count = 0
        self._seconds = 0.0
        # Monotonic seconds; None while there is no outage.
        self._since: float | None = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the length of all together, that of one under way too."""
        return self._seconds + self.present_seconds

    @property
    def present_seconds(self) -> float:
        return 0.0 if self._since is None else time.monotonic() - self._since

    def begin(self) -> None:
        self._since, self.count = time.monotonic(), self.count + 1

    def end(self) -> None:
        self._seconds, self._since = self.seconds, None


class Subscriber:
    """Keeps the subscription alive for as long as the pod lives, and tells `on_change(subscribed)`.

    Half of its attributes are what it is made with, for each new subscription to be given.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        name: str,
        *,
        canary_pattern: str,
        on_messages: Callable[[list[bytes]], None],
        on_canary: Callable[[bytes], None],
        on_change: Callable[[bool], None],
        primary: Primary | None = None,
    ) -> None:
        self.subscribed = False
        self.outages = Outages()
        self.last_error = "not connected yet"
        self._url = redis_url.supported_url(url)
        self._primary = Primary(url) if primary is None else primary
        self._subscription: Subscription | None = None
        # A loss that was told when this pod dropped the connection.
        self._told_loss: Exception | None = None
        self._place = redis_place(url)
        self._channel = channel
        self._name = name
        self._canary_pattern = canary_pattern
        self._on_messages = on_messages
        self._on_canary = on_canary
        self._on_change = on_change
        self._backoff = Backoff(RETRY_LOW_SECONDS, RETRY_HIGH_SECONDS)
        self._unreachable = Sparingly()

    async def run(self) -> None:
        """Connect, listen, and begin again, until cancelled."""
        while True:
            try:
                await self._listen()
            except (LinkLost, OSError) as error:
                if error is not self._told_loss:
                    self._lose(error)
            finally:
                if self.subscribed:
                    self._change(False)
            await self._backoff.pause()

    async def _listen(self) -> None:
        address, asked = clients.address(self._url), time.monotonic()

        def on_open(subscription: Subscription) -> str:
            return self._opened(subscription, asked)

        subscription = await clients.connect(
            address, lambda: Subscription(self._handshake(address.login), self._on_messages, self._on_canary, on_open)
        )
        try:
            async with asyncio.timeout(clients.REPLY_SECONDS):
                await subscription.subscribed
            self._backoff.reset()
            self._change(True)
            logger.info("Connected to %s; subscribed to %s", self._place, self._channel)
            self._subscription = subscription
            await self._keep_alive(subscription)
        finally:
            self._subscription = None
            self._primary.connected("", asked)
            subscription.abort()

    def _opened(self, subscription: Subscription, asked: float) -> str:
        """Return why the server of a new connection is not to be used, or an empty string."""
        opened = self._primary.opened(subscription.standing, asked, subscription.peer, self)
        if not opened.refusal:
            self._primary.connected(subscription.peer, asked)
        return opened.refusal

    def drop(self, reason: str) -> None:
        """Leave the server, and tell of it at once."""
        if self._subscription is not None:
            self._told_loss = error = LinkLost(reason)
            self._subscription.fail(error)
            self._lose(error)

    def _handshake(self, login: tuple[str, str] | None) -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = [("AUTH", *login)] if login else []
        # Redis takes visible ASCII in a connection's name.
        commands.append(("CLIENT", "SETNAME", CLIENT_NAME_MARKS.sub("-", self._name)))
        # A subscribed connection cannot ask.
        commands += QUESTIONS
        # By pattern, so that the canary's messages are of another kind than the events,
        # and telling them apart costs an event nothing.
        commands.append(("PSUBSCRIBE", self._canary_pattern))
        commands.append(("SUBSCRIBE", self._channel))
        return commands

    async def _keep_alive(self, subscription: Subscription) -> None:
        """Ping until the connection is lost; raises LinkLost."""
        unanswered = 0
        while not subscription.lost.done():
            pinged_at = time.monotonic()
            subscription.ping()
            await asyncio.wait([subscription.lost], timeout=PING_SECONDS)
            unanswered = 0 if subscription.received_at >= pinged_at else unanswered + 1
            if unanswered >= UNANSWERED_PINGS:
                raise LinkLost(f"no answer for {UNANSWERED_PINGS * PING_SECONDS:g} s")
        subscription.lost.result()

    def _change(self, subscribed: bool) -> None:
        if subscribed:
            self.outages.end()
        else:
            self.outages.begin()
        self.subscribed = subscribed
        self._on_change(subscribed)

    def _lose(self, error: Exception) -> None:
        self.last_error = str(error) or "no answer"
        if self.subscribed:
            logger.error("Lost %s: %s. Events published now are missed.", self._place, self.last_error)
            self._change(False)
        elif times := self._unreachable.due():
            logger.warning(
                "%s %s: %s (tries: %d). Trying again, for ever; REDIS_URL or REDIS_HOST names another.",
                "Cannot use" if isinstance(error, NoPrimary) else "Cannot reach",
                self._place,
                self.last_error,
                times,
            )
