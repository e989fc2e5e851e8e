"""The pod's ear on the Redis channel: one supervised connection that says when it is deaf.

redis-py parses addresses and speaks to Redis everywhere else. Here its cost for each
message would be that of everything else together, so the bytes of the subscription go
straight into hiredis.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import ssl
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import hiredis
from redis.asyncio.connection import parse_url

from streams.conf import redis_place
from streams.tasks import cancel

log = logging.getLogger("sse.redis")

CONNECT_TIMEOUT_SECONDS = 5.0
# Redis answers a ping at once; one that does not is as good as gone, whatever TCP says.
PING_SECONDS = 3.0
PING_TIMEOUT_SECONDS = 5.0
RETRY_LOW_SECONDS = 0.1
RETRY_HIGH_SECONDS = 1.0
ERROR_LOG_SECONDS = 10.0
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
    """One connection to Redis that is subscribed to one channel."""

    def __init__(
        self,
        commands: list[tuple[str, ...]],
        on_messages: Callable[[list[bytes]], None],
        on_canary: Callable[[bytes], None],
    ) -> None:
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_at = time.monotonic()
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
        self._counted_since = self.heard_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake in one write."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"".join(hiredis.pack_command(command) for command in self._commands))

    def data_received(self, data: bytes) -> None:
        """Take what was read, and hand on the messages that are complete once no more is waiting."""
        self.heard_at = time.monotonic()
        gets, messages = self._reader.gets, self._messages
        try:
            self._reader.feed(data)
            while (reply := gets()) is not False:
                if type(reply) is list and reply[0] == b"message":
                    messages.append(reply[2])
                else:
                    self._answered(reply)
        except hiredis.ProtocolError as error:
            self._fail(LinkLost(f"this does not speak Redis: {error}"))
        self._read_bytes += len(data)
        if len(data) < FULL_READ_BYTES or self._read_bytes >= MAX_READ_BYTES:
            self._hand_on()
        elif self._rest is None:
            # Unless the read was full by chance.
            self._rest = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._hand_on)

    def _hand_on(self) -> None:
        started = self.heard_at
        messages, self._messages = self._messages, []
        self._read_bytes = 0
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if messages:
            self._on_messages(messages)
        self._counted += len(messages)
        counting = started - self._counted_since
        if counting >= BUSY_SECONDS:
            self._busy = self._counted >= BUSY_RATE * counting
            self._counted, self._counted_since = 0, started
        if self._busy and (pause := started + GATHER_SECONDS - time.monotonic()) > 0:
            self._pause(pause)

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
        """Drop the connection without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()

    def _answered(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._fail(LinkLost(f"Redis refused: {reply}"))
        elif isinstance(reply, list) and reply[0] == b"subscribe" and not self.subscribed.done():
            self.subscribed.set_result(None)
        elif isinstance(reply, list) and reply[0] == b"pmessage":
            self._on_canary(reply[3])

    def _fail(self, error: LinkLost) -> None:
        for future in (self.subscribed, self.lost):
            if not future.done():
                future.set_exception(error)
                # Only one of the two may be awaited; the other's error is the same.
                future.exception()
        self.abort()


class Subscriber:
    """Keeps the subscription alive for as long as the pod lives."""

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
        self.outages = 0
        self.changed_at = time.time()
        self.last_error = "not connected yet"
        self._deaf_seconds = 0.0
        self._deaf_since = time.monotonic()
        self._url = url
        self._place = redis_place(url)
        self._channel = channel
        self._name = name
        self._canary_pattern = canary_pattern
        self._on_messages = on_messages
        self._on_canary = on_canary
        self._on_change = on_change
        self._error_log_due = 0.0

    @property
    def deaf_seconds(self) -> float:
        """Return for how long this pod did not hear the channel, altogether."""
        return self._deaf_seconds + (0.0 if self.subscribed else time.monotonic() - self._deaf_since)

    async def run(self) -> None:
        """Connect, listen, and begin again, until cancelled."""
        delay = RETRY_LOW_SECONDS
        while True:
            try:
                await self._listen()
            except (LinkLost, OSError, TimeoutError) as error:
                heard = self.subscribed
                self._lose(error)
                # Drawn at random, so that many pods do not knock in step.
                delay = RETRY_LOW_SECONDS if heard else min(delay * 2, RETRY_HIGH_SECONDS)
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            finally:
                if self.subscribed:
                    self._change(False)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {**parse_url(self._url)}

        def protocol() -> Subscription:
            return Subscription(self._handshake(options), self._on_messages, self._on_canary)

        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            if "path" in options:
                _, subscription = await loop.create_unix_connection(protocol, options["path"])
            else:
                host, port = options.get("host", "localhost"), options.get("port", 6379)
                tls = tls_context(self._url, options)
                _, subscription = await loop.create_connection(protocol, host, port, ssl=tls)
            try:
                await subscription.subscribed
            except BaseException:
                subscription.abort()
                raise
        self._change(True)
        log.info("Connected to %s; subscribed to %s", self._place, self._channel)
        pinging = asyncio.create_task(self._ping(subscription), name="redis-ping")
        try:
            await subscription.lost
        finally:
            await cancel([pinging])
            subscription.abort()

    def _handshake(self, options: dict[str, Any]) -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = []
        if password := options.get("password"):
            commands.append(("AUTH", options.get("username") or "default", password))
        # Redis takes visible ASCII in a connection's name.
        commands.append(("CLIENT", "SETNAME", CLIENT_NAME_MARKS.sub("-", self._name)))
        # By pattern, so that the canary's messages are of another kind than the events,
        # and telling them apart costs an event nothing.
        commands.append(("PSUBSCRIBE", self._canary_pattern))
        commands.append(("SUBSCRIBE", self._channel))
        return commands

    async def _ping(self, subscription: Subscription) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            subscription.ping()
            if time.monotonic() - subscription.heard_at > PING_SECONDS + PING_TIMEOUT_SECONDS:
                subscription.abort()
                return

    def _change(self, subscribed: bool) -> None:
        now = time.monotonic()
        if subscribed:
            self._deaf_seconds += now - self._deaf_since
        else:
            self._deaf_since = now
            self.outages += 1
        self.subscribed = subscribed
        self.changed_at = time.time()
        self._on_change(subscribed)

    def _lose(self, error: Exception) -> None:
        self.last_error = str(error) or type(error).__name__
        now = time.monotonic()
        if self.subscribed:
            log.error("Lost %s: %s. Events published now are missed.", self._place, self.last_error)
        elif now >= self._error_log_due:
            self._error_log_due = now + ERROR_LOG_SECONDS
            log.warning(
                "Cannot reach %s: %s. Trying again, for ever; REDIS_URL or REDIS_HOST names another.",
                self._place,
                self.last_error,
            )
        if self.subscribed:
            self._change(False)


def tls_context(url: str, options: dict[str, Any]) -> ssl.SSLContext | None:
    """Return the TLS settings for a rediss:// address, with redis-py's names for its options."""
    if urlsplit(url).scheme != "rediss":
        return None
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") in ("none", "CERT_NONE"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate := options.get("ssl_certfile"):
        context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    return context
