"""Sends to Redis what back ends publish over HTTP; many requests go together while it is busy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis.asyncio

from streams.broker.clients import LINK_ERRORS, REFUSALS, async_client
from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.broker.primary import Primary
from streams.publishing.publication import Draft
from streams.publishing.records import ACCEPTED, Kept, read_kept
from streams.publishing.script import PUBLISH, Outcome, group_arguments, read_outcomes
from streams.roster.keys import prefix

# A publisher that waits longer has given up, or should.
REPLY_SECONDS = 5.0
# What goes to Redis in one step, which nothing else there comes between: some milliseconds.
MAX_EVENTS = 500
MAX_BYTES = 1024 * 1024


class NotTaken(Exception):
    """Redis took none of a request's events."""


class Doubtful(Exception):
    """Redis gave no answer, and may have taken a request's events."""


class Waiting(NamedTuple):
    """One request's events on their way."""

    drafts: Sequence[Draft]
    looked_up: bool
    answer: asyncio.Future[Outcome]

    @property
    def size(self) -> int:
        return sum(len(each.message) for each in self.drafts)


class Sender:
    """Publishes for as long as its pod lives, in the order in which it is asked to."""

    def __init__(self, url: str, channel: str, *, primary: Primary, kept_seconds: float) -> None:
        self._url, self._primary = url, primary
        self._records = channel + ACCEPTED
        self._head: list[Any] = [
            prefix(channel),
            self._records,
            channel + JOURNAL_SUFFIX,
            channel,
            round(1000 * kept_seconds),
        ]
        self._waiting: deque[Waiting] = deque()
        self._due = asyncio.Event()
        self._client: redis.asyncio.Redis | None = None
        self._leaving = False

    async def publish(self, drafts: Sequence[Draft], *, looked_up: bool = False) -> Outcome:
        """Publish a request's events, all or none; raises NotTaken or Doubtful."""
        waiting = Waiting(drafts, looked_up, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._due.set()
        return await waiting.answer

    async def record(self, event_id: str) -> Kept | None:
        """Return what is kept of an event; raises what redis-py does."""
        client = self._client
        if client is None:
            raise redis.ConnectionError("no connection yet")
        written: Any = await client.get(self._records + event_id)
        return read_kept(written) if written else None

    def drop(self, _reason: str) -> None:
        """Connect anew before more is published."""
        self._leaving = True
        self._due.set()

    async def run(self) -> None:
        """Publish what waits, until cancelled."""
        # An Event belongs to the loop that waits on it.
        self._due = asyncio.Event()
        while True:
            self._leaving = False
            self._client = client = async_client(self._url, reply_seconds=REPLY_SECONDS, on_open=self._primary.open)
            script = client.register_script(PUBLISH)
            try:
                while not self._leaving:
                    if not self._waiting:
                        self._due.clear()
                        await self._due.wait()
                    elif not await self._send(client, script):
                        break
            finally:
                self._client = None
                with contextlib.suppress(*LINK_ERRORS):
                    await client.aclose()

    async def _send(self, client: redis.asyncio.Redis, script: Any) -> bool:
        """Publish some of what waits; say whether the connection can be used further."""
        batch = self._take()
        if not batch:
            return True
        asked = False
        try:
            # What fails before there is a connection was surely not taken.
            await client.connection_pool.release(await client.connection_pool.get_connection())  # type: ignore[no-untyped-call]
            asked = True
            now = time.time()
            words = [word for each in batch for word in group_arguments(each.drafts, now, looked_up=each.looked_up)]
            reply = await script(args=[*self._head, *words])
            outcomes = read_outcomes(reply, [each.drafts for each in batch])
        except LINK_ERRORS as error:
            fault = NotTaken(error) if not asked or isinstance(error, REFUSALS) else Doubtful(error)
            for each in batch:
                _settle(each, fault)
            # Who waits behind it was not sent, and would wait as long again.
            while self._waiting:
                _settle(self._waiting.popleft(), NotTaken(error))
            return False
        except BaseException as error:
            for each in batch:
                _settle(each, Doubtful(error))
            raise
        for each, outcome in zip(batch, outcomes, strict=True):
            _settle(each, outcome)
        return True

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        events = size = 0
        while self._waiting:
            first = self._waiting[0]
            events, size = events + len(first.drafts), size + first.size
            if batch and (events > MAX_EVENTS or size > MAX_BYTES):
                break
            self._waiting.popleft()
            # Who has gone was not served, and may not be.
            if not first.answer.done():
                batch.append(first)
        return batch


def _settle(waiting: Waiting, outcome: Outcome | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(outcome, Exception):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)
