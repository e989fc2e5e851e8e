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
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio

from streams.broker.primary import Primary
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.reader import RosterReader
from streams.roster.tally.commands import Commands
from streams.roster.tally.worker import LOCK_SECONDS, Tally
from tests.scale.seeding import Chain, Seeding, chain_of
from tests.support.redis_server import CHANNEL, RedisServer, running_redis

RUNS = 30
MISSING_SECONDS = 120.0
HISTORY = "history"


class Bench:
    """One Redis, and what is done in it; figures are lines of the table."""

    def __init__(self, server: RedisServer, client: redis.asyncio.Redis, chain: Chain) -> None:
        self._chain = chain
        self._seeding = Seeding(client, chain, HISTORY)
        self._reader = RosterReader(client, CHANNEL)
        self._tally = Tally(server.url, CHANNEL, "tally", primary=Primary(server.url), missing_seconds=MISSING_SECONDS)
        self._commands = Commands(client, self._seeding.prefix, "tally", lock_seconds=LOCK_SECONDS)

    async def run(self) -> None:
        seeding = self._seeding
        empty = await seeding.memory()
        await seeding.beat(self._chain.lives)
        await self._claims("claim of a lane that connects for the first time")
        claimed = await seeding.memory() - empty
        await self._claims("claim that is made again")
        await seeding.age()
        await self._tally_rounds()
        await seeding.end_some()
        await self._rounds_until_done()
        everything = await seeding.memory() - empty
        lanes = len(self._chain.names)
        for title, held in (("after all claims", claimed), ("with ends, sums and indices", everything)):
            print(f"{f'memory {title}':<52} {held / 2**20:9.1f} MiB, {held / lanes:.0f} bytes a lane")
        print(f"\n{'':<52} {'median ms':>9} {'worst ms':>9} {'Redis ms':>9}")
        await self._measure("tally round in which nothing changed", self._round)
        await self._pages()

    async def _claims(self, title: str) -> None:
        seeding = self._seeding
        await seeding.client.config_resetstat()
        before = await seeding.redis_seconds()
        await seeding.claim_all()
        cpu = await seeding.redis_seconds() - before
        script = (await seeding.client.info("commandstats"))["cmdstat_evalsha"]["usec"]
        count = len(seeding.numbers)
        print(f"{title:<52} {1e6 * cpu / count:9.2f} µs of Redis, {script / count:.2f} in the script")

    async def _tally_rounds(self) -> None:
        before, began = await self._seeding.redis_seconds(), time.monotonic()
        cpu = time.process_time()
        await self._seeding.beat(self._chain.lives)
        await self._rounds_until_done()
        seconds, own = time.monotonic() - began, time.process_time() - cpu
        theirs = await self._seeding.redis_seconds() - before
        print(f"{'first tally of all':<52} {seconds:9.2f} s, {own:.2f} s of it the pod's, {theirs:.2f} s Redis'")

    async def _rounds_until_done(self) -> None:
        while not await self._round():
            pass

    async def _round(self) -> bool:
        return await self._tally.round(self._commands, lambda: HISTORY)

    async def _pages(self) -> None:
        reader, stores = self._reader, self._chain.stores
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
        await self._seeding.beat(self._chain.lives[:-1])
        await act()
        gc.collect()
        milliseconds: list[float] = []
        theirs = await self._seeding.redis_seconds()
        for _ in range(RUNS):
            began = time.perf_counter()
            await act()
            milliseconds.append(1000 * (time.perf_counter() - began))
        theirs = 1000 * (await self._seeding.redis_seconds() - theirs) / RUNS
        median, worst = statistics.median(milliseconds), max(milliseconds)
        print(f"{title:<52} {median:9.2f} {worst:9.2f} {theirs:9.2f}")


async def measure(server: RedisServer, chain: Chain) -> None:
    client = redis.asyncio.Redis.from_url(server.url)
    try:
        await Bench(server, client, chain).run()
    finally:
        await client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--lanes", type=int, default=10, help="of each store")
    parser.add_argument("--lives", type=int, default=10, help="of pods")
    options = parser.parse_args()
    with running_redis() as server:
        asyncio.run(measure(server, chain_of(options.stores, options.lanes, options.lives)))


if __name__ == "__main__":
    main()
