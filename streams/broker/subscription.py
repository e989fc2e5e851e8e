"""One connection to Redis that is subscribed to the channel.

redis-py speaks to Redis everywhere else. Here its cost for each message would be that
of everything else together, so the bytes of the subscription go straight into hiredis.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from streams.broker.primary import address_of
from streams.broker.side import QUESTIONS
from streams.logs import Sparingly

logger = logging.getLogger("sse.redis")

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


class LinkLost(Exception):
    """The connection to Redis ended or never came to be."""


class NoPrimary(LinkLost):
    """The server that answers is not to be used."""


class Subscription(asyncio.Protocol):
    """One connection to Redis that is subscribed to one channel.

    `on_messages` takes the channel's messages, those that were read at once together, and
    `on_canary` each message of the canaries' pattern: both in the order in which they came.
    What a callback raises is logged and ends nothing. `on_open(subscription)` is called before
    them all and returns why the server is not to be used, or an empty string: `standing` has what
    it answered to QUESTIONS, where these are among the commands, and `peer` its address.
    What it counts and gathers is in no object of its own, as each read would go through it.
    """

    def __init__(
        self,
        commands: list[tuple[str, ...]],
        on_messages: Callable[[list[bytes]], None],
        on_canary: Callable[[bytes], None],
        on_open: Callable[[Subscription], str] | None = None,
    ) -> None:
        self.standing: list[Any] = []
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received_at = time.monotonic()
        self._commands = commands
        self._unanswered = deque(commands)
        self._on_open = on_open
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
            self.fail(LinkLost(f"this does not speak Redis: {error}"))
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
        self.fail(LinkLost(str(error or "Redis closed the connection")))

    @property
    def peer(self) -> str:
        """Return the address at the other end, or an empty string where it is a socket's path."""
        return address_of(self._transport) if self._transport is not None else ""

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
        command = self._unanswered.popleft() if self._unanswered else ()
        if command in QUESTIONS:
            # Refused or not.
            self.standing.append(reply)
        elif isinstance(reply, hiredis.ReplyError):
            self.fail(LinkLost(f"Redis refused: {reply}"))
        elif isinstance(reply, list) and reply[0] == b"subscribe" and not self.subscribed.done():
            if self._on_open is not None and (refusal := self._on_open(self)):
                self.fail(NoPrimary(refusal))
            else:
                self.subscribed.set_result(None)
        elif isinstance(reply, list) and reply[0] == b"pmessage":
            # What was published before the canary is not to be taken after it.
            self._hand_on()
            self._call(self._on_canary, reply[3])

    def fail(self, error: LinkLost) -> None:
        """Hand on what was read, and end with an error."""
        # Before anybody is told of the loss.
        self._hand_on()
        for future in (self.subscribed, self.lost):
            if not future.done():
                future.set_exception(error)
                # Only one of the two may be awaited; the other's error is the same.
                future.exception()
        self.abort()
