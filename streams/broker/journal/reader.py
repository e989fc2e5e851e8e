"""The journal: a Redis Stream that pods read on from where they were; the shell around its cursor.

Publishers that must not lose anything XADD to it. Pub/Sub forgets what nobody heard;
the journal keeps it, so a pod that was away or has just started catches up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Any, cast

import redis
import redis.asyncio

from streams.broker.clients import LINK_ERRORS, async_client
from streams.broker.journal.cursor import BLOCK_MS, READ_BYTES, JournalCursor
from streams.broker.journal.entries import EVENT_FIELD, Facts, Taken, read_entries
from streams.broker.journal.marks import MARKS_KEPT, MARKS_SUFFIX, MET_INFIX, mark
from streams.broker.journal.replies import ReplyLimit, ReplyTooLarge
from streams.broker.primary import Primary, WrongSide
from streams.history.losses import Loss
from streams.logs import Sparingly
from streams.tasks import Backoff

logger = logging.getLogger("sse.redis")

JOURNAL_SUFFIX = ":log"
# About this many events are kept in Redis; trimming "about" is what makes it cheap there.
JOURNAL_LENGTH = 100_000
# Beyond the time that a read may block.
REPLY_SECONDS = 3.0
# Entries may be much larger than those before them, by which the cursor chooses how many to read.
MAX_REPLY_BYTES = 4 * READ_BYTES
RETRY_SECONDS = (0.1, 1.0)

__all__ = ["EVENT_FIELD", "JOURNAL_LENGTH", "JOURNAL_SUFFIX", "JournalReader"]


class JournalReader:
    """Reads the journal for as long as the pod lives.

    `on_taken(taken)` is called with what each answer brought, `on_lost(since)` where a connect shows that
    entries from `since` (monotonic seconds) on may be gone unread, `on_caught_up()` once what was there
    at the start has been read.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        *,
        history_seconds: float,
        on_taken: Callable[[Taken], None],
        on_lost: Callable[[float], None],
        on_caught_up: Callable[[], None],
        primary: Primary,
    ) -> None:
        self.cursor = JournalCursor(history_seconds, time.monotonic())
        # Whether what was there at the start has been read, and it is known where that began.
        self.caught_up = False
        self.last_error = "not connected yet"
        self.answered_at = time.monotonic()
        self._url = url
        self._key = channel + JOURNAL_SUFFIX
        self._on_taken = on_taken
        self._on_lost = on_lost
        self._on_caught_up = on_caught_up
        self._reply_limit = ReplyLimit()
        self._due = Sparingly()
        self._primary = primary
        # Ends the connection in use.
        self._life: asyncio.Timeout | None = None
        # The history of a replica that became the primary, or an empty string.
        self._promoted = ""
        # Why it is leaving its server, or an empty string.
        self._left_for = ""

    @property
    def silent_seconds(self) -> float:
        """Return for how long Redis has not answered a read beyond the time that it may take."""
        return max(0.0, time.monotonic() - self.answered_at - BLOCK_MS / 1000)

    async def run(self) -> None:
        """Connect, read, and begin again, until cancelled."""
        backoff = Backoff(*RETRY_SECONDS)
        while True:
            client = async_client(
                self._url,
                reply_seconds=BLOCK_MS / 1000 + REPLY_SECONDS,
                on_open=self._primary.open,
                reply_limit=self._reply_limit,
            )
            try:
                await self._connect(client)
                await self._read_on(client, backoff)
            except WrongSide as error:
                # The subscription says it louder.
                self.last_error = str(error)
                await backoff.pause()
            except LINK_ERRORS as error:
                self._report(error)
                await backoff.pause()
            finally:
                with contextlib.suppress(*LINK_ERRORS):
                    await client.aclose()

    async def _read_on(self, client: redis.asyncio.Redis, backoff: Backoff) -> None:
        self._left_for = ""
        try:
            async with asyncio.timeout(None) as self._life:
                while True:
                    try:
                        await self._read(client)
                    except ReplyTooLarge:
                        self.cursor.read_less()
                    backoff.reset()
                    if self.cursor.pause_seconds:
                        await asyncio.sleep(self.cursor.pause_seconds)
        except TimeoutError:
            # Those of redis-py are of another class.
            raise WrongSide(self._left_for) from None
        finally:
            self._life = None

    def drop(self, reason: str) -> None:
        """Leave the server, and connect anew."""
        # Whoever is leaving already cannot be told again.
        if self._life is not None and not self._left_for:
            self._left_for = reason
            self._life.reschedule(-inf)

    async def _connect(self, client: redis.asyncio.Redis) -> None:
        position = self.cursor.position
        server = await client.info()
        newest = await self._newest(client)
        found: Any = await client.xrange(self._key, position, position, 1) if position else []
        asked = time.monotonic()
        uptime, self._promoted = server["uptime_in_seconds"], promoted_history(server)
        facts = Facts(
            server["run_id"],
            unix_time(await client.time()),
            newest,
            self.cursor.holds(found),
            uptime,
            is_durable(server),
        )
        since = self.cursor.connected(facts, asked, time.monotonic())
        if since is not None:
            self._on_lost(since)

    async def _read(self, client: redis.asyncio.Redis) -> None:
        read, asked = self.cursor.next_read(), time.monotonic()
        # One entry is taken of whatever size it is: nothing tells its id without it.
        self._reply_limit.bytes = MAX_REPLY_BYTES if read.limit > 1 else inf
        async with client.pipeline(transaction=False) as commands:
            commands.xread({self._key: read.after}, read.limit, read.block_ms)
            # Asked in the same breath: the journal may be trimmed faster than it is read.
            commands.xrange(self._key, read.held_from, read.held_to, count=1)
            commands.time()
            try:
                reply, held, redis_time = await commands.execute()
            finally:
                self._reply_limit.bytes = inf
        self.answered_at = time.monotonic()
        taken = self.cursor.took(
            read_entries(reply), self.cursor.holds(held), unix_time(redis_time), asked, self.answered_at
        )
        # At once: the link may be lost before another answer, and what is lost with it is told.
        self._on_taken(taken)
        if taken.displaced:
            self.cursor.relocated(await self._newest(client))
        if self.cursor.caught_up and not self.caught_up:
            await self._begin(client)
            self.caught_up = True
            self._on_caught_up()

    async def _begin(self, client: redis.asyncio.Redis) -> None:
        newest, intact = await self._newest(client), await self._is_intact(client)
        met, marks = True, cast("Any", [])
        try:
            met = not self._promoted or bool(await client.exists(self._met_key))
            marks = await client.xrange(self._key + MARKS_SUFFIX)
        except redis.ResponseError as error:
            logger.warning("What Redis lost before this pod started is not known: %s", error)
        first = await self._first(client)
        self.cursor.begins_at(first, newest, time.monotonic(), intact=intact, marks=marks, met=met)
        if not met:
            await self._mark(client, self.cursor.lost_before())

    @property
    def _met_key(self) -> str:
        return f"{self._key}{MET_INFIX}{self._promoted}"

    async def _newest(self, client: redis.asyncio.Redis) -> bytes | None:
        last: Any = await client.xrevrange(self._key, count=1)
        return last[0][0] if last else None

    async def _first(self, client: redis.asyncio.Redis) -> bytes | None:
        """Return the id of the journal's first entry."""
        first: Any = await client.xrange(self._key, count=1)
        return first[0][0] if first else None

    async def _is_intact(self, client: redis.asyncio.Redis) -> bool:
        """Say whether the journal has every entry that was ever added to it, as far as anybody knows."""
        with contextlib.suppress(redis.ResponseError):
            # Redis before 7.0 does not say, a user may lack the right, and there may be no journal yet.
            info = await client.xinfo_stream(self._key)
            return bool(info.get("entries-added") == info["length"])
        return not await client.exists(self._key)

    async def mark(self, losses: list[Loss]) -> None:
        """Tell pods that start later what was lost; raises what redis-py does."""
        async with async_client(self._url, on_open=self._primary.open) as client:
            await self._mark(client, losses)

    async def _mark(self, client: redis.asyncio.Redis, losses: list[Loss]) -> None:
        try:
            for loss in losses:
                fields: Any = mark(loss, time.monotonic())
                await client.xadd(self._key + MARKS_SUFFIX, fields, maxlen=MARKS_KEPT)
            if self._promoted:
                await client.set(self._met_key, "1")
        except redis.ResponseError as error:
            logger.warning("Pods that start later will not know what Redis lost: %s", error)

    def _report(self, error: Exception) -> None:
        self.last_error = str(error) or type(error).__name__
        if times := self._due.due():
            logger.warning(
                "The journal %s cannot be read: %s. Trying again, for ever (tries: %d).", self._key, error, times
            )


def is_durable(info: dict[str, Any]) -> bool:
    """Say whether a restart of the Redis that gave this INFO loses nothing that it has acknowledged.

    With an append-only file that is so but for a crash of its machine. A replica that was promoted may
    lack what it had not been sent.
    https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
    """
    return bool(info.get("aof_enabled")) and not promoted_history(info)


def promoted_history(info: dict[str, Any]) -> str:
    """Return the name of the history that a replica writes since it became the primary, or an empty string."""
    promoted = str(info.get("master_replid2", 0)).strip("0") != ""
    return str(info["master_replid"]) if promoted else ""


def unix_time(reply: tuple[int, int]) -> float:
    """Return what TIME answers as Unix time in seconds."""
    seconds, microseconds = reply
    return seconds + microseconds / 1e6
