"""A chain of 10,000 stores in Redis: what it takes there, and how long each page and answer of a pod takes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

import redis.asyncio

from streams.roster.reading.reader import RosterReader
from streams.roster.script import Item, Kind
from tests.scale.fleet import Fleet
from tests.scale.scenario import Run
from tests.scale.seeding import Seeding, chain_of
from tests.support.pods import Pod, environment
from tests.support.redis_server import CHANNEL, RedisServer, running_redis

LANES_A_STORE = 10
LIVES = 10
MISSING_SECONDS = 10
BEAT_SECONDS = 4.0
SUMMED_SECONDS = 90.0
HERD = 10_000
SLOWEST_KEPT = 128
TIMES = 20
# A person waits for a page of a hundred, and nobody waits for Redis meanwhile.
PAGE_MS = 100.0
WAIT_MS = 25.0
STORE, LANE = "STORE00001", "STORE00001-LANE01"
PAGES = (
    "/admin",
    "/admin/stores",
    "/admin/stores?state=partial",
    "/admin/stores?q=e0050",
    f"/admin/stores/{STORE}",
    "/api/v1/pods",
    "/api/v1/stores",
    "/api/v1/stores?state=partial",
    "/api/v1/stores?state=dark",
    f"/api/v1/stores/{STORE}",
    "/api/v1/clients",
    "/api/v1/clients?cursor=STORE00050-LANE05",
    "/api/v1/clients?state=missing",
    "/api/v1/clients?state=unknown",
    "/api/v1/clients?state=offline",
    "/api/v1/clients?q=lane07",
    "/api/v1/clients?q=nobody",
    f"/api/v1/clients/{LANE}",
)
LARGE_PAGES = ("/api/v1/stores?limit=1000", "/api/v1/clients?limit=1000")


async def stores(run: Run) -> None:
    """Write the lanes, let a pod sum them up, ask it for everything, and let a herd move to another pod."""
    with running_redis() as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            chain = chain_of(run.size // LANES_A_STORE, LANES_A_STORE, LIVES)
            seeding = Seeding(client, chain, server.client.info("replication")["master_replid"])
            await seed(run, seeding)
            async with alive(seeding), serving(run, server) as (pod, fleet):
                await summed_up(run, seeding, RosterReader(client, CHANNEL))
                run.note("memory with sums and indices", await seeding.memory() / 2**20, "MiB")
                assert fleet.connected
                for page in PAGES:
                    await timed(run, pod, page, PAGE_MS)
                for page in LARGE_PAGES:
                    await timed(run, pod, page, None)
                await herd(run, seeding)


async def seed(run: Run, seeding: Seeding) -> None:
    empty, began = await seeding.memory(), time.monotonic()
    await seeding.beat(seeding.chain.lives)
    await seeding.claim_all()
    run.note("lanes", len(seeding.chain.names))
    run.note("all are claimed", time.monotonic() - began, "s")
    held = await seeding.memory() - empty
    run.note("memory after all claims", held / 2**20, "MiB")
    run.note("memory of a lane", held / len(seeding.chain.names), "bytes")
    await seeding.age()
    await seeding.end_some()


@asynccontextmanager
async def alive(seeding: Seeding) -> AsyncIterator[None]:
    """Keep all pods alive but the one that is silent."""

    async def beat() -> None:
        while True:
            await seeding.beat(seeding.chain.lives[:-1])
            await asyncio.sleep(BEAT_SECONDS)

    beating = asyncio.create_task(beat(), name="beat")
    try:
        yield
    finally:
        beating.cancel()


@asynccontextmanager
async def serving(run: Run, server: RedisServer) -> AsyncIterator[tuple[Pod, Fleet]]:
    """Start the pod that is asked, with a client whose page does not depend on pods that are not there."""
    pod = await asyncio.to_thread(start, run, server, MISSING_SECONDS=MISSING_SECONDS)
    fleet = Fleet({LANE: 0}, lambda _place: pod.port)
    try:
        yield pod, fleet
    finally:
        await fleet.stop()
        await asyncio.to_thread(pod.terminate)
    pod.assert_no_traceback()


def start(run: Run, server: RedisServer, **settings: str | float) -> Pod:
    env = environment(REDIS_URL=server.url, POD_NAME="pod-asked", DRAIN_SECONDS=0, **settings)
    pod = Pod("streamworker", run.directory / "pod.log", env)
    pod.wait_ready()
    return pod


async def summed_up(run: Run, seeding: Seeding, reader: RosterReader) -> None:
    """Wait until the pod has summed up all stores, also those that are partial once it knows them for long enough."""
    began, lanes = time.monotonic(), len(seeding.chain.names)
    while (totals := await reader.totals()).lanes != lanes:
        assert time.monotonic() - began < SUMMED_SECONDS, totals
        await asyncio.sleep(0.1)
    run.note("a pod that starts has summed all up", time.monotonic() - began, "s")
    while not ((totals := await reader.totals()).missing and totals.partial_stores and totals.dark_stores):
        assert time.monotonic() - began < SUMMED_SECONDS, totals
        await asyncio.sleep(0.1)


async def timed(run: Run, pod: Pod, target: str, at_most: float | None) -> None:
    """Ask for a page again and again, as one person does."""
    milliseconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = await asyncio.to_thread(pod.fetch, target)
        milliseconds.append(1000 * (time.perf_counter() - began))
        assert answer.status == 200, f"{target}: {answer}"
    longest = max(milliseconds)
    run.note(f"{target} (longest {longest:.0f} ms)", statistics.median(milliseconds), "ms", at_most=at_most)


async def herd(run: Run, seeding: Seeding) -> None:
    """Let thousands of lanes be claimed by another pod at once, and see how long Redis answers nobody else."""
    life = seeding.chain.lives[0]
    others = ((name, number) for name, (held, number) in seeding.numbers.items() if held != life)
    moved = [Item(Kind.CLAIM, name, 1_000_000 + number) for name, number in islice(others, HERD)]
    await seeding.client.config_set("slowlog-log-slower-than", 0)
    await seeding.client.slowlog_reset()
    before, began = await seeding.redis_seconds(), time.perf_counter()
    await seeding.say(life, moved)
    run.note(f"{len(moved):,} lanes move to another pod at once: claimed", time.perf_counter() - began, "s")
    run.note("Redis for each of them", 1e6 * (await seeding.redis_seconds() - before) / len(moved), "µs")
    longest = max(each["duration"] for each in await seeding.client.slowlog_get(SLOWEST_KEPT))
    run.note("longest that Redis answers nobody else", longest / 1000, "ms", at_most=WAIT_MS)
