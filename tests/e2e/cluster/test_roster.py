"""What pods and their tally say of who is where, while pods and Redis come and go."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from typing import Any

import pytest
import redis

from streams.roster.membership import UNCONFIRMED_SECONDS
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.reader import RosterReader
from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, open_stream
from tests.support.marks import long
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, RedisServer
from tests.support.waiting import eventually

CLIENTS = 24
NAMES = [f"STORE{number % 4:03}-LANE{number:02}" for number in range(CLIENTS)]
# A pod says that it lives every five seconds; what Redis lost it claims again within three.
WHOLE_SECONDS = 10.0
# It joins the others anew, and claims within three seconds.
FOUND_SECONDS = 8.0
# Fifteen seconds of silence, and as long as a lock lasts.
TAKEN_OVER_SECONDS = 25.0


@pytest.fixture
def pods(reader: RosterReader, mortal_redis: RedisServer, start_pod: StartPod) -> list[Pod]:
    started = [start_pod(ready=False, REDIS_URL=mortal_redis.url, POD_NAME=f"pod-{number}") for number in range(2)]
    for pod in started:
        pod.wait_ready()
    return started


Counts = tuple[int, int, int, int] | None


async def connect(pods: list[Pod]) -> list[EventStream]:
    return [await open_stream(pods[place % 2].port, name) for place, name in enumerate(NAMES)]


async def counts(reader: RosterReader) -> Counts:
    try:
        totals = await reader.totals()
    except redis.RedisError:
        return None
    return totals.connected, totals.unknown, totals.offline, totals.pods


def leader(server: RedisServer) -> str:
    """Return the life of the pod that sums up."""
    life: Any = server.client.get(f"{CHANNEL}:roster:lock")
    return (life or b"").decode()


async def until_counts(reader: RosterReader, *wanted: int, timeout: float) -> None:
    """Wait until so many lanes are connected, unknown and offline, and so many pods there."""
    deadline = time.monotonic() + timeout
    while (found := await counts(reader)) != wanted:
        assert time.monotonic() < deadline, f"after {timeout:g} s there are {found} instead of {wanted}"
        await asyncio.sleep(0.05)


async def test_roster_of_two_pods(pods: list[Pod], reader: RosterReader, mortal_redis: RedisServer):
    streams = await connect(pods)
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=5)
    page = await reader.lanes(limit=CLIENTS)
    assert [lane.client_name for lane in page.clients] == sorted(NAMES)
    assert {lane.pod_name for lane in page.clients} == {"pod-0", "pod-1"}
    await close_all(streams[:2])
    await until_counts(reader, CLIENTS - 2, 0, 2, 2, timeout=5)
    lane = await reader.lane(NAMES[0])
    assert lane is not None
    assert (lane.state, lane.last_reason, lane.pod_name) == (LaneState.OFFLINE, "client-closed", "pod-0")
    await close_all(streams)


@pytest.mark.long
async def test_roster_when_the_pod_that_sums_up_is_killed(
    pods: list[Pod], reader: RosterReader, mortal_redis: RedisServer
):
    """The other one does it then, and finds the lanes of the one that is gone unknown, until they are back."""
    streams = await connect(pods)
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=5)
    led = leader(mortal_redis)
    (name,) = [heard.says.pod_name for heard in await reader.pods() if heard.life == led]
    killed, other = (pods[0], pods[1]) if name == "pod-0" else (pods[1], pods[0])
    killed.process.send_signal(signal.SIGKILL)
    half = CLIENTS // 2
    await until_counts(reader, half, half, 0, 1, timeout=TAKEN_OVER_SECONDS)
    assert leader(mortal_redis) not in ("", led)
    back = [await open_stream(other.port, each) for each in NAMES]
    await until_counts(reader, CLIENTS, 0, 0, 1, timeout=5)
    await close_all([*streams, *back])


@pytest.mark.parametrize("loss", ["flushed", long("restarted")])
async def test_roster_after_redis_lost_all(pods: list[Pod], reader: RosterReader, mortal_redis: RedisServer, loss: str):
    """Whole again within ten seconds."""
    streams = await connect(pods)
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=5)
    if loss == "flushed":
        mortal_redis.client.flushall()
    else:
        mortal_redis.stop()
        mortal_redis.start()
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=WHOLE_SECONDS)
    await close_all(streams)


async def test_pod_that_stood_still_closes_what_is_no_longer_its_own(pods: list[Pod], reader: RosterReader):
    """As soon as it hears the others again, and nothing else: who waited for it still has its stream."""
    for pod in pods:
        pod.wait_log("Hearing the other pods")
    streams = await connect(pods)
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=5)
    moved, stayed = streams[0:12:2], streams[12::2]
    with pods[0].standing_still():
        elsewhere = [await open_stream(pods[1].port, name) for name in NAMES[0:12:2]]
        # Longer than it takes a pod to see that it does not hear the others.
        await asyncio.sleep(UNCONFIRMED_SECONDS + 0.5)
    woke = time.monotonic()
    for stream in moved:
        # That it heard nothing for a while it may say before.
        assert (await stream.rest())[-1].json()["reason"] == "evicted"
    assert time.monotonic() - woke < FOUND_SECONDS
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=5)
    assert [pod.connections() for pod in pods] == [len(stayed), CLIENTS - len(stayed)]
    assert not any(stream.closed for stream in stayed)
    await close_all([*streams, *elsewhere])


NUMBERS = ("pods_alive", "lanes_missing", "stores_dark")
Numbers = tuple[float | None, ...]


def numbers(pods: list[Pod]) -> list[Numbers]:
    """Return what each pod shows of the cluster, None for what has no line."""
    found: list[Numbers] = []
    for pod in pods:
        text = pod.fetch("/metrics").body.decode()
        lines = dict(re.findall(r"(?m)^sse_(\w+) (\S+)$", text))
        assert all(f"# TYPE sse_{name} gauge" in text for name in NUMBERS)
        found.append(tuple(float(lines[name]) if name in lines else None for name in NUMBERS))
    return found


@pytest.mark.long
async def test_roster_in_metrics(pods: list[Pod], reader: RosterReader, mortal_redis: RedisServer):
    """Every pod shows the same numbers, and none where nobody knows them."""
    streams = await connect(pods)
    await until_counts(reader, CLIENTS, 0, 0, 2, timeout=5)
    mortal_redis.client.hincrby(f"{CHANNEL}:roster:totals", "missing", 3)
    mortal_redis.client.hincrby(f"{CHANNEL}:roster:totals", "dark_stores", 2)
    await eventually("the numbers", lambda: numbers(pods) == [(2, 3, 2)] * 2)
    errors = 'sse_roster_errors_total{part="claims"}'
    assert [pod.metric(errors) for pod in pods] == [0, 0]
    mortal_redis.stop()
    await eventually("no numbers", lambda: numbers(pods) == [(None, None, None)] * 2)
    assert all(pod.metric(errors) > 0 for pod in pods)
    mortal_redis.start()
    await eventually("numbers again", lambda: numbers(pods) == [(2, 0, 0)] * 2, timeout=20)
    await close_all(streams)
