"""A morning in a cluster, for pictures: three pods, what a day of them left in Redis, and clients that come and go."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis.asyncio

from streams.publishing.samples import sample_data
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.reader import RosterReader
from streams.roster.tracing.entries import Kind, TraceEntry, encode
from streams.wire.timestamps import iso, now_iso
from tests.dashboard.clients import Clients, connected
from tests.support.pods import Pod, environment
from tests.support.redis_server import CHANNEL, RedisServer, event

STORES = [f"STORE{store:03d}" for store in range(1, 19)]
LANES = {store: [f"{store}-LANE{lane:02d}" for lane in range(1, 8)] for store in STORES}
NAMES = [name for lanes in LANES.values() for name in lanes]
AWAY = {"STORE007-LANE03", "STORE012-LANE01", "STORE012-LANE06", *LANES["STORE016"]}
# These stay as they are, for whoever is photographed.
STILL = {*LANES["STORE001"], *LANES["STORE007"], *AWAY}
ACTIONS = ["signature", "payment", "payment", "receipt", "status", "inventory", "alert"]
MISSING_SECONDS = 10
HOUR = 3600.0


@contextmanager
def cluster(redis_server: RedisServer, folder: Path) -> Iterator[list[Pod]]:
    """Start three pods, and end them."""
    pods = []
    try:
        for number in (1, 2, 3):
            env = environment(
                REDIS_URL=redis_server.url,
                POD_NAME=f"pod-{number}",
                DATABASE_URL=f"sqlite:///{folder}/{number}.sqlite3",
                MISSING_SECONDS=MISSING_SECONDS,
            )
            pods.append(Pod("streamworker", folder / f"pod-{number}.log", env))
        for pod in pods:
            pod.wait_ready()
        yield pods
    finally:
        for pod in pods:
            pod.terminate()


@contextmanager
def business(redis_server: RedisServer, pods: list[Pod]) -> Iterator[list[Clients]]:
    """Connect the lanes to the pods and let a morning's business happen, for the length of a block."""
    asyncio.run(remember(redis_server))
    ended = threading.Event()
    with ExitStack() as stack:
        spread: list[list[str]] = [NAMES[place :: len(pods)] for place in range(len(pods))]
        clients = [stack.enter_context(connected(pod.port, names)) for pod, names in zip(pods, spread, strict=True)]
        for each in clients:
            each.leave(*AWAY.intersection(each.sockets))
        playing = threading.Thread(target=play, args=(redis_server, clients, ended))
        playing.start()
        try:
            yield clients
        finally:
            ended.set()
            playing.join()


async def remember(redis_server: RedisServer) -> None:
    """Let the lanes be expected, and two stores have a day behind them."""
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        reader = RosterReader(client, CHANNEL)
        for store, lanes in LANES.items():
            await reader.expect(store, lanes)
        for number, name in enumerate(LANES["STORE001"] + LANES["STORE007"]):
            for opened_ago, lasted, reason in ((23.5, 9 + number % 3, "dead-peer"), (13, 12.4, "draining")):
                closed = time.time() - (opened_ago - lasted) * HOUR
                entry = TraceEntry(
                    Kind.CLOSED,
                    f"pod-{number % 3 + 1}",
                    iso(closed),
                    f"{number:08x}.{round(opened_ago)}",
                    reason=reason,
                    seconds=lasted * HOUR,
                    events=97 + 31 * number,
                )
                await client.xadd(f"{CHANNEL}:trace:{name}", {"entry": encode(entry)})


async def missing(redis_server: RedisServer) -> list[str]:
    """Return which lanes are missing by now."""
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        page = await RosterReader(client, CHANNEL).lanes(state=LaneState.MISSING)
        return [lane.client_name for lane in page.clients]


def play(redis_server: RedisServer, clients: list[Clients], ended: threading.Event) -> None:
    """Publish events, and let clients come and go."""
    began = time.monotonic()
    number = 0
    while not ended.wait(0.05):
        elapsed = time.monotonic() - began
        busy = 2 + (5 if 30 < elapsed < 50 else 0) + int(2 * random.random())
        for _ in range(busy):
            number += 1
            action = random.choice(ACTIONS)
            message = event(random.choice(NAMES), number, action=action, data=sample_data(action), timestamp=now_iso())
            redis_server.client.publish(CHANNEL, json.dumps(message))
        pod = random.choice(clients)
        restless = [name for name in pod.sockets if name not in STILL]
        if random.random() < 0.02:
            name = random.choice(restless)
            pod.leave(name)
            pod.connect(name)
        if random.random() < 0.005:
            pod.connect(random.choice(restless))
