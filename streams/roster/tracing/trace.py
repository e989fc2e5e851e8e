"""The trace of one client, for whoever asks: what Redis has of it, and what the pods know."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import redis.asyncio

from streams.broker.clients import async_client
from streams.roster.membership import Membership
from streams.roster.messages import Told, Traced
from streams.roster.reading.reader import RosterReader
from streams.roster.tracing.entries import TraceEntry
from streams.roster.tracing.merging import merged
from streams.roster.tracing.questions import Answered, Ask, Questions
from streams.roster.tracing.store import MAX_TRACE_MINUTES, read, trace_on
from streams.wire.events import valid_name
from streams.wire.timestamps import iso

MAX_MINUTES = 24 * 60
# What pods have noted is in Redis within this, while they hear it.
WRITTEN_SECONDS = 0.1
JOIN_SECONDS = 2.0


class Source(Protocol):
    """Who asks: a pod's Roster, or the Visitor of a process that is no pod."""

    channel: str

    def client(self) -> redis.asyncio.Redis:
        """Return a client of Redis, to be closed after use."""

    async def ask(self, client_name: str, lives: set[str]) -> dict[str, Answered]:
        """Return what pods know of a client, by their lives; `lives` are those that are there."""

    def trace(self, name: str, seconds: float) -> None:
        """Tell all pods to note a client's events."""


async def trace(source: Source, name: str, minutes: float) -> list[TraceEntry]:
    """Return what became of a client in the last minutes, oldest first; closing_sentence() says how it ends.

    It begins with what says how the client was before. Raises what redis-py does.
    """
    async with source.client() as client:
        lives = await RosterReader(client, source.channel).pods()
        pods = {heard.life: heard.says.pod_name for heard in lives if heard.alive}
        began = time.monotonic()
        answers = await source.ask(name, set(pods))
        # An end that a pod has told of has to be found there.
        await asyncio.sleep(max(0.0, began + WRITTEN_SECONDS - time.monotonic()))
        now, noted = await read(client, source.channel, name)
    since = now - 60 * min(minutes, MAX_MINUTES)
    return merged(noted, answers, pods, now=iso(now), since=iso(since))


async def start_trace(source: Source, name: str, minutes: float) -> None:
    """Let all pods note the events of a client for some minutes, MAX_TRACE_MINUTES at most; 0 ends it.

    Raises InvalidName, TooManyTraces where the cluster traces as many as it may, and what redis-py does.
    """
    valid_name(name)
    minutes = min(minutes, MAX_TRACE_MINUTES)
    async with source.client() as client:
        await trace_on(client, source.channel, name, minutes)
    source.trace(name, 60 * minutes)


class Visitor:
    """Asks and tells the pods for a process that is none of them; Django's channel layer must be configured.

    Call present() first; what is told within it has been sent when it ends.
    """

    def __init__(self, url: str, channel: str) -> None:
        self.channel = channel
        self._url = url
        self._life = uuid.uuid4().hex
        self._members = Membership(self._life, "", self._told)
        self._questions = Questions(self._ask)
        self._heard = asyncio.Event()
        # What was said and has not come back.
        self._under_way = 0

    def client(self) -> redis.asyncio.Redis:
        return async_client(self._url)

    @contextlib.asynccontextmanager
    async def present(self) -> AsyncIterator[Visitor]:
        """Hear the pods for the length of a block; TimeoutError where the channel layer cannot be used."""
        running = asyncio.create_task(self._members.run(), name="sse-visitor")
        try:
            await self._until_heard()
            yield self
            while self._under_way:
                await self._until_heard()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def _until_heard(self) -> None:
        self._heard.clear()
        async with asyncio.timeout(JOIN_SECONDS):
            await self._heard.wait()

    async def ask(self, client_name: str, lives: set[str]) -> dict[str, Answered]:
        return await self._questions.ask(client_name, lives)

    def trace(self, name: str, seconds: float) -> None:
        self._tell(Told(self._life, "", traces=[Traced(name, seconds)]))

    def close_everywhere(self, names: list[str]) -> None:
        """End the streams of clients, whichever pods have them."""
        self._tell(Told(self._life, "", close=names))

    def _ask(self, ask: Ask) -> None:
        self._tell(Told(self._life, "", asks=[ask]))

    def _tell(self, told: Told) -> None:
        self._under_way += 1
        self._members.tell([("", told)])

    def _told(self, told: Told) -> None:
        self._questions.answered(told.life, told.pod_name, told.answers)
        if told.life == self._life:
            self._under_way -= bool(told.close or told.traces or told.asks)
            self._heard.set()
