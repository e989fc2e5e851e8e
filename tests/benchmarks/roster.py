"""What the roster costs: its memory, claims, the tally and pages, for 100,000 lanes in 10,000 stores.

`python -m tests.benchmarks.roster [--stores 10000] [--lanes 10] [--lives 10]` starts a Redis of its own, claims
all lanes through the script that pods use, and prints a table. Most lanes are connected; some ended, in some
stores all of them, and one life of the pods has died.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import redis.asyncio

from streams.broker.primary import Primary
from streams.roster.claims import MAX_ITEMS
from streams.roster.keys import prefix
from streams.roster.lives import BEAT, Life
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.queries import DAY_MS
from streams.roster.reading.reader import RosterReader
from streams.roster.script import SCRIPT, Item, Kind, line
from streams.roster.tally.commands import Commands
from streams.roster.tally.worker import LOCK_SECONDS, Tally
from tests.support.redis_server import RedisServer, running_redis

CHANNEL = "events-to-store"
RUNS = 30
DARK_SHARE = 0.03
ENDED_SHARE = 0.01
MISSING_SECONDS = 120.0
HISTORY = "history"


class Fleet(NamedTuple):
    """The lanes of all stores, and the lives of the pods that have them."""

    stores: list[list[str]]
    lives: list[str]

    @property
    def names(self) -> list[str]:
        return [name for store in self.stores for name in store]


class Bench:
    """One Redis, and what is done in it; figures are lines of the table."""

    def __init__(self, server: RedisServer, client: redis.asyncio.Redis, fleet: Fleet) -> None:
        self._client: Any = client
        self._fleet = fleet
        self._prefix = prefix(CHANNEL)
        self._reader = RosterReader(client, CHANNEL)
        self._claim, self._beat = client.register_script(SCRIPT), client.register_script(BEAT)
        self._tally = Tally(server.url, CHANNEL, "tally", primary=Primary(server.url), missing_seconds=MISSING_SECONDS)
        self._commands = Commands(client, self._prefix, "tally", lock_seconds=LOCK_SECONDS)

    async def run(self) -> None:
        empty = await self._memory()
        await self._beat_all()
        numbers = {name: (life, number) for number, (name, life) in enumerate(self._holders(), 1)}
        await self._claims("claim of a lane that connects for the first time", numbers)
        claimed = await self._memory() - empty
        await self._claims("claim that is made again", numbers)
        await self._age()
        await self._tally_rounds()
        await self._end_some(numbers)
        await self._rounds_until_done()
        everything = await self._memory() - empty
        lanes = len(self._fleet.names)
        for title, held in (("after all claims", claimed), ("with ends, sums and indices", everything)):
            print(f"{f'memory {title}':<52} {held / 2**20:9.1f} MiB, {held / lanes:.0f} bytes a lane")
        print(f"\n{'':<52} {'median ms':>9} {'worst ms':>9} {'Redis ms':>9}")
        await self._measure("tally round in which nothing changed", self._round)
        await self._pages()

    def _holders(self) -> Iterator[tuple[str, str]]:
        draw = random.Random(1)
        for name in draw.sample(self._fleet.names, len(self._fleet.names)):
            yield name, draw.choice(self._fleet.lives)

    async def _memory(self) -> int:
        return int((await self._client.info("memory"))["used_memory"])

    async def _beat_all(self) -> None:
        for life in self._fleet.lives:
            await self._beat(args=[self._prefix, life, msgspec.json.encode(Life(f"pod-{life}", "1.0.0", ""))])

    async def _redis_seconds(self) -> float:
        cpu = await self._client.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    async def _claims(self, title: str, numbers: dict[str, tuple[str, int]]) -> None:
        by_life: dict[str, list[Item]] = {life: [] for life in self._fleet.lives}
        for name, (life, number) in numbers.items():
            by_life[life].append(Item(Kind.CLAIM, name, number, 1.0))
        await self._client.config_resetstat()
        before = await self._redis_seconds()
        for life, items in by_life.items():
            await self._say(life, items)
        cpu = await self._redis_seconds() - before
        script = (await self._client.info("commandstats"))["cmdstat_evalsha"]["usec"]
        count = len(numbers)
        print(f"{title:<52} {1e6 * cpu / count:9.2f} µs of Redis, {script / count:.2f} in the script")

    async def _say(self, life: str, items: list[Item]) -> None:
        for place in range(0, len(items), MAX_ITEMS):
            lines = "".join(map(line, items[place : place + MAX_ITEMS]))
            await self._claim(args=[self._prefix, HISTORY, life, f"pod-{life}", 0, lines])

    async def _age(self) -> None:
        """Let all lanes have been there yesterday, so that they are expected."""
        today = (await self._client.time())[0] * 1000 // DAY_MS
        for store in self._fleet.stores:
            key = f"{self._prefix}known:{store[0].partition('-')[0]}"
            await self._client.hset(key, mapping=dict.fromkeys(store, f"{today} 3 0"))

    async def _end_some(self, numbers: dict[str, tuple[str, int]]) -> None:
        """End lanes here and there an hour ago, all of some stores, and the last life a minute ago."""
        draw = random.Random(2)
        dark = {name for store in self._fleet.stores if draw.random() < DARK_SHARE for name in store}
        ended = [name for name in numbers if name in dark or draw.random() < ENDED_SHARE]
        long_ago = int((await self._client.time())[0]) * 1000 - 3_600_000
        for name in ended:
            life, number = numbers[name]
            await self._say(life, [Item(Kind.RELEASE, name, number, reason="dead-peer")])
            await self._client.hset(
                f"{self._prefix}seen:{name.partition('-')[0]}", name, f"{long_ago} dead-peer pod-{life}"
            )
        await self._client.hset(self._prefix + "tally", "began", long_ago)
        await self._beat_all()
        silent, about = self._fleet.lives[-1], msgspec.json.encode(Life("pod-silent", "1.0.0", ""))
        await self._client.hset(self._prefix + "pods", silent, b"%d %b" % (long_ago + 3_540_000, about))

    async def _tally_rounds(self) -> None:
        before, began = await self._redis_seconds(), time.monotonic()
        cpu = time.process_time()
        await self._beat_all()
        await self._rounds_until_done()
        seconds, own = time.monotonic() - began, time.process_time() - cpu
        theirs = await self._redis_seconds() - before
        print(f"{'first tally of all':<52} {seconds:9.2f} s, {own:.2f} s of it the pod's, {theirs:.2f} s Redis'")

    async def _rounds_until_done(self) -> None:
        while not await self._round():
            pass

    async def _round(self) -> bool:
        return await self._tally.round(self._commands, lambda: HISTORY)

    async def _pages(self) -> None:
        reader, stores = self._reader, self._fleet.stores
        middle = stores[len(stores) // 2][0]
        last = stores[-1][-1]
        pages: dict[str, Callable[[], Awaitable[Any]]] = {
            "totals": reader.totals,
            "pods": reader.pods,
            "one lane that is connected": lambda: reader.lane(middle),
            "one store": lambda: reader.store(middle.partition("-")[0]),
            "lanes": reader.lanes,
            "lanes, cursor in the middle": lambda: reader.lanes(cursor=middle),
            "lanes, 1,000 of them": lambda: reader.lanes(limit=1000),
            "lanes of a store": lambda: reader.lanes(store=middle.partition("-")[0]),
            "stores": reader.stores,
            "stores, cursor in the middle": lambda: reader.stores(cursor=middle.partition("-")[0] + "/"),
            "stores, 1,000 of them": lambda: reader.stores(limit=1000),
            "lanes by a part of the name that many have": lambda: reader.lanes(q="lane07"),
            "lanes by a part of the name that few have": lambda: reader.lanes(q=last.lower()),
            "the same in one state": lambda: reader.lanes(q=last.lower(), state=LaneState.CONNECTED),
        }
        for lane_state in LaneState:
            pages[f"lanes that are {lane_state}"] = functools.partial(reader.lanes, state=lane_state)
        for store_state in StoreState:
            pages[f"stores that are {store_state}"] = functools.partial(reader.stores, state=store_state)
        for title, page in pages.items():
            await self._measure(title, page)

    async def _measure(self, title: str, act: Callable[[], Awaitable[Any]]) -> None:
        # Other lives than the silent one are still there.
        await self._keep_alive()
        await act()
        gc.collect()
        milliseconds: list[float] = []
        theirs = await self._redis_seconds()
        for _ in range(RUNS):
            began = time.perf_counter()
            await act()
            milliseconds.append(1000 * (time.perf_counter() - began))
        theirs = 1000 * (await self._redis_seconds() - theirs) / RUNS
        median, worst = statistics.median(milliseconds), max(milliseconds)
        print(f"{title:<52} {median:9.2f} {worst:9.2f} {theirs:9.2f}")

    async def _keep_alive(self) -> None:
        for life in self._fleet.lives[:-1]:
            await self._beat(args=[self._prefix, life, msgspec.json.encode(Life(f"pod-{life}", "1.0.0", ""))])


async def measure(server: RedisServer, fleet: Fleet) -> None:
    client = redis.asyncio.Redis.from_url(server.url)
    try:
        await Bench(server, client, fleet).run()
    finally:
        await client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--lanes", type=int, default=10, help="of each store")
    parser.add_argument("--lives", type=int, default=10, help="of pods")
    options = parser.parse_args()
    stores = [
        [f"STORE{store:05}-LANE{lane:02}" for lane in range(1, options.lanes + 1)] for store in range(options.stores)
    ]
    with running_redis() as server:
        asyncio.run(measure(server, Fleet(stores, [f"{number:032x}" for number in range(options.lives)])))


if __name__ == "__main__":
    main()
