"""The durable door: a Redis Stream that pods read on from where they were.

Publishers that must not lose anything XADD to it. Pub/Sub forgets what nobody heard;
the log keeps it, so a pod that was away or has just started catches up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import redis.asyncio

from streams.broker.clients import LINK_ERRORS as LINK_ERRORS

log = logging.getLogger("sse.redis")

LOG_SUFFIX = ":log"
EVENT_FIELD = b"event"
# About this many events are kept in Redis; trimming "about" is what makes it cheap there.
LOG_LENGTH = 100_000
READ_COUNT = 500
BLOCK_MS = 5_000
CONNECT_SECONDS = 5.0
RETRY_LOW_SECONDS = 0.1
RETRY_HIGH_SECONDS = 1.0
ERROR_LOG_SECONDS = 10.0


class LogReader:
    """Reads the log into `on_messages(messages)`, for as long as the pod lives.

    What was in the log before this pod started belongs to the memory for replays and to
    no open stream: it goes to `on_past(messages, moments)`. `on_loss(since, until)` tells that entries of the
    log after one moment may be gone unread, of which a gap tells already that ended after the other; both
    are in time.monotonic()'s seconds.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        *,
        history_seconds: float,
        on_messages: Callable[[list[bytes]], None],
        on_past: Callable[[list[bytes], list[float]], None],
        on_caught_up: Callable[[], None],
        on_loss: Callable[[float, float], None],
    ) -> None:
        self.read = 0
        self.caught_up = False
        self.last_error = "not connected yet"
        self.history_seconds = history_seconds
        # Since when every entry has been read, once caught up; the log may be younger than the history's length.
        self.complete_since = 0.0
        self._url = url
        self._key = channel + LOG_SUFFIX
        self._on_messages = on_messages
        self._on_past = on_past
        self._on_caught_up = on_caught_up
        self._on_loss = on_loss
        # The id of the last entry that was read, or None before the first.
        self._position: bytes | None = None
        # Where reading began: Redis's time at the first connect, less the history's length.
        self._beginning = b""
        # Redis's clock, less this process's; by so much, a moment may come out later than it was.
        self._clock_ahead = 0.0
        self._clock_doubt = 0.0
        # Redis's own id for its process, which tells a restart from a mere lost link.
        self._run_id = ""
        self._heard_at = time.monotonic()
        # Up to when every entry has been read, for sure.
        self._proven_at = self._heard_at
        self._error_log_due = 0.0

    async def run(self) -> None:
        """Connect, read, and begin again, until cancelled."""
        delay = RETRY_LOW_SECONDS
        while True:
            client = redis.asyncio.Redis.from_url(
                self._url,
                socket_connect_timeout=CONNECT_SECONDS,
                # A blocking read answers after BLOCK_MS even when there is nothing.
                socket_timeout=BLOCK_MS / 1000 + CONNECT_SECONDS,
                retry=None,
            )
            try:
                await self._read(client)
            except LINK_ERRORS as error:
                delay = RETRY_LOW_SECONDS if self._heard_recently() else min(delay * 2, RETRY_HIGH_SECONDS)
                self._report(error)
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            finally:
                with contextlib.suppress(*LINK_ERRORS):
                    await client.aclose()

    async def _read(self, client: redis.asyncio.Redis) -> None:
        await self._compare_clocks(client)
        lost = await self._lost(client)
        if lost:
            self._on_loss(self._proven_at, self._heard_at)
            self._position, self._beginning = await self._last_known(client), b"0-0"
        # Whether the entry at the position has been seen in this very log.
        placed = self._position is not None and not lost
        while True:
            block = BLOCK_MS if self.caught_up else None
            before, proven_before, asked_at = self._position, self._proven_at, time.monotonic()
            async with client.pipeline(transaction=False) as commands:
                commands.xread({self._key: before or self._beginning}, READ_COUNT, block)
                # Asked in the same breath, for the case that the log is trimmed faster than it is read.
                commands.xrange(self._key, before or b"-", before or b"+", count=1)
                reply, held = await commands.execute()
            self._heard_at = time.monotonic()
            entries = read_entries(reply)
            # A full reply leaves entries unread that may be as old as its last.
            self._proven_at = asked_at if len(entries) < READ_COUNT else self._earliest(entries[-1][0])
            if entries:
                self._position = entries[-1][0]
                self.read += len(entries)
                messages = [fields.get(EVENT_FIELD, b"") for _id, fields in entries]
                if self.caught_up:
                    self._on_messages(messages)
                else:
                    self._on_past(messages, [self._moment(entry_id) for entry_id, _fields in entries])
            if placed and entries and not held:
                # While the one before is there, none between it and those that were read can be gone.
                self._on_loss(proven_before, self._moment(entries[0][0]))
            placed = placed or bool(entries)
            if not self.caught_up and len(entries) < READ_COUNT:
                first: Any = await client.xrange(self._key, count=1)
                now = time.monotonic()
                self.complete_since = max(now - self.history_seconds, self._moment(first[0][0]) if first else now)
                self.caught_up = True
                self._on_caught_up()

    async def _compare_clocks(self, client: redis.asyncio.Redis) -> None:
        asked = time.monotonic()
        seconds, microseconds = await client.time()
        answered = time.monotonic()
        # Redis looked at its clock between the two, and nobody knows when.
        self._clock_ahead = seconds + microseconds / 1e6 - answered
        self._clock_doubt = answered - asked
        if not self._beginning:
            self._beginning = b"%d-0" % max(0, int(1000 * (seconds - self.history_seconds)))

    def _moment(self, entry_id: bytes) -> float:
        # When Redis took an entry, in time.monotonic()'s seconds.
        return entry_parts(entry_id)[0] / 1000 - self._clock_ahead

    def _earliest(self, entry_id: bytes) -> float:
        return self._moment(entry_id) - self._clock_doubt

    async def _lost(self, client: redis.asyncio.Redis) -> bool:
        """Say whether entries after the last one that was read may be gone from the log."""
        run_id, before = (await client.info("server"))["run_id"], self._run_id
        self._run_id = run_id
        if self._position is not None:
            # While the last entry is there, so are those after it: the log is trimmed from its beginning.
            return not await self._holds(client, self._position)
        # Nothing was ever read: a Redis that restarted may have lost what it had taken.
        return bool(before) and before != run_id and not await client.exists(self._key)

    async def _holds(self, client: redis.asyncio.Redis, entry_id: bytes) -> bool:
        return bool(await client.xrange(self._key, entry_id, entry_id, 1))

    async def _last_known(self, client: redis.asyncio.Redis) -> bytes | None:
        # A log that lost its end still has entries that were read; those are not read again.
        last: Any = await client.xrevrange(self._key, count=1)
        if not last or self._position is None:
            return None
        newest: bytes = last[0][0]
        return min(self._position, newest, key=entry_parts)

    def _heard_recently(self) -> bool:
        return time.monotonic() - self._heard_at < BLOCK_MS / 1000 + 1

    def _report(self, error: Exception) -> None:
        now = time.monotonic()
        self.last_error = str(error) or type(error).__name__
        if now >= self._error_log_due:
            self._error_log_due = now + ERROR_LOG_SECONDS
            log.warning("The log %s cannot be read: %s. Trying again, for ever.", self._key, error)


def entry_parts(entry_id: bytes) -> tuple[int, int]:
    """Return the milliseconds of Redis's clock in an entry's id, and its number within them."""
    milliseconds, _dash, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def read_entries(reply: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of an XREAD reply for one key, in RESP2's shape or RESP3's."""
    if not reply:
        return []
    streams = reply.values() if isinstance(reply, dict) else (entries for _key, entries in reply)
    found: list[tuple[bytes, dict[bytes, bytes]]] = []
    for entries in streams:
        # RESP3 wraps the entries in one more list.
        flat = entries[0] if entries and isinstance(entries[0], list) else entries
        found.extend(flat)
    return found
