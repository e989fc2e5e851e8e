"""The pod's subscription to the Redis channel: one connection that is kept up and says when it is not.

redis-py speaks to Redis everywhere else. Here its cost for each message would be that
of everything else together, so the bytes of the subscription go straight into hiredis.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any, cast

import hiredis

from streams.broker import clients
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
# Redis writes each few messages as they come, and waking up for them costs more than they
# do. From this rate on, messages a second, a pod reads at most once in GATHER_SECONDS,
# which is also the most that gathering adds to an event's way.
BUSY_RATE = 20_000
BUSY_SECONDS = 0.02
GATHER_SECONDS = 0.003
# What asyncio and uvloop read at once: a read that is full has more behind it. As much as
# MAX_READ_BYTES is handed on together, so that a client's events go out in one write.
FULL_READ_BYTES = 256_000
MAX_READ_BYTES = 1_024_000
CLIENT_NAME_MARKS = re.compile(r"[^!-~]")


class LinkLost(Exception):
    """The connection to Redis ended or never came to be."""


class Subscription(asyncio.Protocol):
    """One connection to Redis that is subscribed to one channel.

    `on_messages` takes the channel's messages, those that were read at once together, and
    `on_canary` each message of the canaries' pattern: both in the order in which they came.
    What a callback raises is logged and ends nothing. Nothing is handed on behind a loss.
    """

    def __init__(
        self,
        commands: list[tuple[str, ...]],
        on_messages: Callable[[list[bytes]], None],
        on_canary: Callable[[bytes], None],
    ) -> None:
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received_at = time.monotonic()
        self._commands = commands
        self._on_messages = on_messages
        self._on_canary = on_canary
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        # What was read and not handed on yet, and who will do so.
        self._messages: list[bytes] = []
        self._read_bytes = 0
        self._rest: asyncio.TimerHandle | None = None
        # The rate at which messages come, which decides whether they are gathered.
        self._busy = False
        self._counted = 0
        self._counted_since = self.received_at
        self._failures = Sparingly()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake in one write."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"".join(hiredis.pack_command(command) for command in self._commands))

    def data_received(self, data: bytes) -> None:
        """Take what was read, and hand on the messages that are complete once no more is waiting."""
        self.received_at = time.monotonic()
        gets, messages = self._reader.gets, self._messages
        try:
            self._reader.feed(data)
            while (reply := gets()) is not False:
                if type(reply) is list and reply[0] == b"message":
                    messages.append(reply[2])
                else:
                    self._answered(reply)
                    # Handing on what came before a canary began a new list.
                    messages = self._messages
        except (hiredis.ProtocolError, IndexError) as error:
            self._fail(LinkLost(f"this does not speak Redis: {error}"))
        self._read_bytes += len(data)
        if len(data) < FULL_READ_BYTES or self._read_bytes >= MAX_READ_BYTES:
            self._end_read()
        elif self._rest is None:
            # Unless the read was full by chance.
            self._rest = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._end_read)

    def _end_read(self) -> None:
        started = self.received_at
        self._hand_on()
        self._read_bytes = 0
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        counting = started - self._counted_since
        if counting >= BUSY_SECONDS:
            self._busy = self._counted >= BUSY_RATE * counting
            self._counted, self._counted_since = 0, started
        if self._busy and (pause := started + GATHER_SECONDS - time.monotonic()) > 0:
            self._pause(pause)

    def _hand_on(self) -> None:
        messages, self._messages = self._messages, []
        self._counted += len(messages)
        if messages and not self.lost.done():
            self._call(self._on_messages, messages)

    def _call(self, callback: Callable[[Any], None], argument: Any) -> None:
        try:
            callback(argument)
        except Exception:
            # The connection is not to blame, and what comes next is not either.
            if times := self._failures.due():
                logger.exception("What Redis sent could not be taken (times: %d)", times)

    def _pause(self, seconds: float) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self._fail(LinkLost(str(error or "Redis closed the connection")))

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self._transport is not None:
            self._transport.write(hiredis.pack_command(("PING",)))

    def abort(self) -> None:
        """Hand on what was read, and drop the connection without waiting for the other side."""
        self._hand_on()
        if self._transport is not None:
            self._transport.abort()

    def _answered(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._fail(LinkLost(f"Redis refused: {reply}"))
        elif isinstance(reply, list) and reply[0] == b"subscribe" and not self.subscribed.done():
            self.subscribed.set_result(None)
        elif isinstance(reply, list) and reply[0] == b"pmessage":
            # What was published before the canary is not to be taken after it.
            self._hand_on()
            self._call(self._on_canary, reply[3])

    def _fail(self, error: LinkLost) -> None:
        # Before anybody is told of the loss.
        self._hand_on()
        for future in (self.subscribed, self.lost):
            if not future.done():
                future.set_exception(error)
                # Only one of the two may be awaited; the other's error is the same.
                future.exception()
        self.abort()


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
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)

    def begin(self) -> None:
        self._since = time.monotonic()
        self.count += 1

    def end(self) -> None:
        self._seconds, self._since = self.seconds, None


class Subscriber:
    """Keeps the subscription alive for as long as the pod lives, and tells `on_change(subscribed)`."""

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
    ) -> None:
        self.subscribed = False
        self.outages = Outages()
        self.changed_at = time.time()
        self.last_error = "not connected yet"
        self._url = clients.supported_url(url)
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
                self._lose(error)
            finally:
                if self.subscribed:
                    self._change(False)
            await self._backoff.pause()

    async def _listen(self) -> None:
        address = clients.address(self._url)
        subscription = await clients.connect(
            address, lambda: Subscription(self._handshake(address.login), self._on_messages, self._on_canary)
        )
        try:
            async with asyncio.timeout(clients.REPLY_SECONDS):
                await subscription.subscribed
            self._backoff.reset()
            self._change(True)
            logger.info("Connected to %s; subscribed to %s", self._place, self._channel)
            await self._keep_alive(subscription)
        finally:
            subscription.abort()

    def _handshake(self, login: tuple[str, str] | None) -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = [("AUTH", *login)] if login else []
        # Redis takes visible ASCII in a connection's name.
        commands.append(("CLIENT", "SETNAME", CLIENT_NAME_MARKS.sub("-", self._name)))
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
        self.changed_at = time.time()
        self._on_change(subscribed)

    def _lose(self, error: Exception) -> None:
        self.last_error = str(error) or "no answer"
        if self.subscribed:
            logger.error("Lost %s: %s. Events published now are missed.", self._place, self.last_error)
            self._change(False)
        elif times := self._unreachable.due():
            logger.warning(
                "Cannot reach %s: %s (tries: %d). Trying again, for ever; REDIS_URL or REDIS_HOST names another.",
                self._place,
                self.last_error,
                times,
            )
