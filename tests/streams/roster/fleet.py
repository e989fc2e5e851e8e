"""A roster in a real Redis as pods of several lives make it, and its tally, round by round."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import redis.asyncio

from streams.broker.primary import Primary
from streams.roster.keys import prefix, store_of
from streams.roster.lives import BEAT, Life
from streams.roster.reading.held import DAY_MS
from streams.roster.reading.queries import LARGE
from streams.roster.reading.reader import RosterReader
from streams.roster.script import SCRIPT, Item, Kind, line
from streams.roster.tally.commands import Commands
from streams.roster.tally.worker import Tally
from tests.support.redis_server import RedisServer

LOCK_SECONDS = 5.0
MISSING_SECONDS = 120.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0
numbers = itertools.count(1)


class Fleet:
    """Claims, ends and beats of any lives in one roster; what is said is `ago` seconds old."""

    def __init__(self, server: RedisServer, client: redis.asyncio.Redis) -> None:
        self.channel = f"fleet-{next(numbers)}"
        self.prefix = prefix(self.channel)
        self.history = "history-1"
        # Untyped: redis-py types each reply for all settings at once.
        self.client: Any = client
        self.reader = RosterReader(client, self.channel)
        self._server = server
        self._claim, self._beat = client.register_script(SCRIPT), client.register_script(BEAT)
        self._numbers = itertools.count(1)
        self._connections: dict[tuple[str, str], int] = {}

    async def now_ms(self) -> int:
        seconds, microseconds = await self.client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def beat(self, *lives: str, ago: float = 0, started_at: str = "") -> None:
        for life in lives:
            about = msgspec.json.encode(Life(f"pod-of-{life}", "1.0.0", started_at))
            await self._beat(args=[self.prefix, life, about])
            if ago:
                heard = await self.now_ms() - round(1000 * ago)
                await self.client.hset(self.prefix + "pods", life, b"%d %b" % (heard, about))

    async def connect(self, life: str, *names: str, ago: float = 0) -> None:
        for name in names:
            self._connections[life, name] = next(self._numbers)
        await self.say(life, [Item(Kind.CLAIM, name, self._connections[life, name], ago) for name in names])

    async def end(self, life: str, *names: str, reason: str = "dead-peer", ago: float = 0) -> None:
        """End connections; what Redis noted of it is set back to `ago`."""
        await self.say(life, [Item(Kind.RELEASE, name, self._connections[life, name], reason=reason) for name in names])
        if ago:
            ended = await self.now_ms() - round(1000 * ago)
            for name in names:
                await self.client.hset(self.hash("seen", name), name, f"{ended} {reason} pod-of-{life}")

    def number(self, life: str, name: str) -> int:
        return self._connections[life, name]

    async def say(self, life: str, items: list[Item]) -> None:
        await self._claim(args=[self.prefix, self.history, life, f"pod-of-{life}", 0, "".join(map(line, items))])

    async def know(self, name: str, *days_ago: int) -> None:
        """Let a lane have been there on some days before today."""
        today = await self.now_ms() // DAY_MS
        first, *others = sorted(days_ago)
        days = 1 | sum(1 << ago - first for ago in others)
        await self.client.hset(self.hash("known", name), name, f"{today - first} {days} 0")
        await self.client.zadd(self.prefix + "stores", {store_of(name): 0})
        await self.client.sadd(self.prefix + "dirty", store_of(name))

    async def expect(self, *names: str) -> None:
        for name in names:
            await self.know(name, 0, 1)

    def hash(self, kind: str, name: str) -> str:
        here = f"here:{self.history}" if kind == "here" else kind
        return f"{self.prefix}{here}:{store_of(name)}"

    async def age(self, seconds: float) -> None:
        """Let the tally have begun so long ago."""
        await self.client.hset(self.prefix + "tally", "began", await self.now_ms() - round(1000 * seconds))

    def tally(self, life: str = "tally", missing_seconds: float = MISSING_SECONDS) -> tuple[Tally, Commands]:
        primary = Primary(self._server.url)
        tally = Tally(self._server.url, self.channel, life, primary=primary, missing_seconds=missing_seconds)
        return tally, Commands(self.client, self.prefix, life, lock_seconds=LOCK_SECONDS)

    async def round(self, life: str = "tally", missing_seconds: float = MISSING_SECONDS) -> bool:
        tally, commands = self.tally(life, missing_seconds)
        while not await tally.round(commands, lambda: self.history):
            pass
        return tally.leading

    async def began(self) -> None:
        """Let the tally have been there for long."""
        await self.round()
        await self.age(DAY)
        await self.mark()
        await self.round()

    async def mark(self) -> None:
        """Have everything looked at again."""
        if stores := await self.client.zrange(self.prefix + "stores", 0, -1):
            await self.client.sadd(self.prefix + "dirty", *stores)

    async def totals(self) -> dict[str, int]:
        return {name: count for name, count in msgspec.structs.asdict(await self.reader.totals()).items() if count}


@asynccontextmanager
async def fleet_in(server: RedisServer) -> AsyncIterator[Fleet]:
    client = redis.asyncio.Redis.from_url(server.url)
    try:
        yield Fleet(server, client)
    finally:
        await client.aclose()


def lanes_of(stores: Iterable[int], lanes: int) -> list[str]:
    return [f"STORE{store:05}-LANE{lane:02}" for store in stores for lane in range(1, lanes + 1)]


async def night_and_day(fleet: Fleet) -> None:
    """Three stores: one is complete, one partial, one dark; and a lane without a store."""
    await fleet.beat("one", "two")
    lanes = lanes_of([1, 2, 3], 3)
    await fleet.expect(*lanes)
    await fleet.connect("one", *lanes, "alone")
    await fleet.began()
    await fleet.end("one", *lanes_of([2], 1), *lanes_of([3], 3), ago=HOUR)
    await fleet.round()


async def large_store(fleet: Fleet) -> list[str]:
    await fleet.beat("one")
    names = [f"lane{number:05}" for number in range(LARGE + 300)]
    await fleet.connect("one", *names)
    await fleet.round()
    await fleet.age(DAY)
    return names
