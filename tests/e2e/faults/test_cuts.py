"""Devices whose connections are cut again and again, and pods that die under them: nothing is lost in silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import StartPod
from tests.support.clients.devices import Lane, Source, all_read_last, outcome
from tests.support.links.relay import Relay
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

# STREAMS_TEST_CUTS=full is the size that the service promises; it takes minutes.
FULL = os.environ.get("STREAMS_TEST_CUTS", "") == "full"
LANES = 500 if FULL else 50
EVENTS_PER_SECOND = 2000 if FULL else 500
CUTS = 20 if FULL else 5
# Over which the cuts are spread.
CUT_SECONDS = 60.0 if FULL else 2.5
# How often each of three pods is killed.
KILLS = 4 if FULL else 1
PATIENCE_SECONDS = 60.0 if FULL else 20.0

both_doors = pytest.mark.parametrize("durable", [True, False], ids=["durable", "pubsub"])


@contextlib.asynccontextmanager
async def lanes_at(port: Callable[[], int], names: list[str], source: Source) -> AsyncIterator[list[Lane]]:
    """Connect a lane for each name, and have each read one event, so that it has an id to come back with."""
    lanes = [Lane(name, port) for name in names]
    try:
        await eventually("every lane to be connected", lambda: all(lane.connects for lane in lanes), PATIENCE_SECONDS)
        while not all(lane.first.is_set() for lane in lanes):
            # The head of a response comes before the greeting, and only what follows that is sure to arrive.
            await asyncio.to_thread(source.once)
            await asyncio.sleep(0.1)
        for name, lane in zip(names, lanes, strict=True):
            first = lane.read[0]
            source.taken[name] = [event for event in source.taken[name] if event.event_id >= first]
        yield lanes
    finally:
        await asyncio.gather(*(lane.stop() for lane in lanes))


async def cut_at_random(lanes: list[Lane]) -> None:
    async def cut(lane: Lane) -> None:
        for _ in range(CUTS):
            await asyncio.sleep(random.uniform(0, 2 * CUT_SECONDS / CUTS))
            await eventually("a connection to cut", lane.cut, PATIENCE_SECONDS)

    await asyncio.gather(*(cut(lane) for lane in lanes))


@both_doors
@pytest.mark.timeout(600)
async def test_cut_connections_lose_and_double_nothing(
    durable: bool, start_pod: StartPod, mortal_redis: RedisServer, client_names: Callable[[int], list[str]]
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    names = client_names(LANES)
    source = Source(mortal_redis.url, names, EVENTS_PER_SECOND, durable)
    async with lanes_at(lambda: pod.port, names, source) as lanes:
        with source.running():
            await cut_at_random(lanes)
        await all_read_last(source, lanes, PATIENCE_SECONDS)
        found = outcome(source, lanes)
        print(found, sum(lane.cuts for lane in lanes), "cuts", pod.metric("sse_events_replayed_total"), "replayed")
        for lane in lanes:
            assert lane.read == [event.event_id for event in source.taken[lane.name]]
            assert lane.cuts == CUTS
            assert lane.gaps == []
    assert pod.metric("sse_events_replayed_total") > 0


@both_doors
@pytest.mark.timeout(900)
async def test_killed_pods_lose_nothing_in_silence(
    durable: bool, start_pod: StartPod, mortal_redis: RedisServer, client_names: Callable[[int], list[str]]
):
    mortal_redis.start()

    def start(number: int, *, ready: bool) -> Pod:
        return start_pod(REDIS_URL=mortal_redis.url, POD_NAME=f"pod-{number}", ready=ready)

    pods = [start(number, ready=False) for number in range(3)]
    for pod in pods:
        await asyncio.to_thread(pod.wait_ready)
    names = client_names(LANES)
    source = Source(mortal_redis.url, names, EVENTS_PER_SECOND, durable)
    async with Relay([pod.port for pod in pods]) as relay, lanes_at(lambda: relay.port, names, source) as lanes:
        with source.running():
            cutting = asyncio.create_task(cut_at_random(lanes))
            for _ in range(KILLS):
                for number in range(3):
                    pods[number].terminate(signal.SIGKILL)
                    pods[number] = start(number, ready=False)
                    # At once, and not when it is ready: its clients wait for their greeting.
                    relay.targets[number] = pods[number].port
                    await asyncio.to_thread(pods[number].wait_ready)
            await cutting
        await all_read_last(source, lanes, PATIENCE_SECONDS)
        found = outcome(source, lanes)
        print(found, sum(lane.connects for lane in lanes), "connects", source.refused, "refused")
    assert source.refused == 0
    assert found.disordered == 0
    assert found.unnamed == 0, f"lost and not told: {found}"
    if durable:
        assert found.lost == 0, f"lost: {found}"
