"""The journal: what Redis acknowledged arrives, whatever dies in between, and arrives once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from streams.broker.publisher import apublish, publish
from tests.conftest import StartPod
from tests.support.clients.devices import Lane, Source, all_read_last, gap_covers, outcome
from tests.support.clients.reading import read_until
from tests.support.http import open_stream
from tests.support.pods import Pod, environment, run_manage
from tests.support.redis_server import JOURNAL, RedisServer, event
from tests.support.waiting import eventually

# STREAMS_TEST_OUTAGES=full is an outage as long as a restart on a slow disk.
FULL = os.environ.get("STREAMS_TEST_OUTAGES", "") == "full"
OUTAGE_SECONDS = 10.0 if FULL else 1.5
LANES = 50 if FULL else 10
EVENTS_PER_SECOND = 1000 if FULL else 300


async def by_function(_server: RedisServer, name: str) -> str:
    return (await asyncio.to_thread(publish, name, "payment", {"amount": 1}, durable=True)).event_id


async def by_coroutine(_server: RedisServer, name: str) -> str:
    return (await apublish(name, "payment", {"amount": 1}, durable=True)).event_id


async def by_command(server: RedisServer, name: str) -> str:
    env = environment(REDIS_URL=server.url)
    run = await asyncio.to_thread(run_manage, "publish_event", name, "payment", "--durable", "--json", env=env)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["logId"]
    assert said["receivers"] is None
    event_id: str = said["eventId"]
    return event_id


async def by_xadd(server: RedisServer, name: str) -> str:
    server.add(event(name, 7))
    return event(name, 7)["eventId"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("put", [by_function, by_coroutine, by_command, by_xadd])
@pytest.mark.usefixtures("conf")
async def test_whoever_puts_it_into_the_journal_it_arrives_once(
    put: Callable[[RedisServer, str], Awaitable[str]], pod: Pod, redis_server: RedisServer, client_name: str
):
    async with await open_stream(pod.port, client_name) as stream:
        event_id = await put(redis_server, client_name)
        redis_server.publish(event(client_name, eventId="between"))
        got, _gaps = await read_until(stream, "between")
        redis_server.add(event(client_name, eventId="last"))
        got += (await read_until(stream, "last"))[0]
        # The two ingresses are two connections; each has its own order.
        assert sorted(got) == sorted([event_id, "between", "last"])
        assert got.index(event_id) < got.index("last")


async def test_what_is_unusable_in_the_journal_is_counted_and_skipped(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    pod = start_pod(REDIS_URL=redis_server.url)
    async with await open_stream(pod.port, client_name) as stream:
        unusable = pod.metric("sse_events_unusable_total")
        redis_server.client.xadd(JOURNAL, {"other": "field"})
        redis_server.client.xadd(JOURNAL, {"event": "no JSON"})
        redis_server.add(event(client_name, 1))
        assert (await stream.next_json())["eventId"] == "evt-00000001"
        assert pod.metric("sse_events_unusable_total") == unusable + 2


async def test_a_killed_pod_reads_on(start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    mortal_redis.start_aged()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.add(event(client_name, 0))
        await stream.until("evt-00000000")
    pod.terminate(signal.SIGKILL)
    # More than one reply of Redis holds, with those for others.
    for number in range(1, 91):
        for name in (client_name, *(f"{client_name}-{other}" for other in range(8))):
            mortal_redis.add(event(name, number))
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000000"}) as stream:
        mortal_redis.add(event(client_name, 91))
        got, gaps = await read_until(stream, "evt-00000091")
        assert got == [event("", number)["eventId"] for number in range(1, 92)]
        assert gaps == [], "nothing was missed, so nothing is told"


async def test_what_pubsub_lost_behind_an_event_of_the_journal_is_told(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start_aged()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.publish(event(client_name, 1))
        await stream.until("evt-00000001")
        await eventually("the use of Pub/Sub to be marked", mortal_redis.channel_is_marked)
        mortal_redis.add(event(client_name, 2))
        await stream.until("evt-00000002")
    pod.terminate(signal.SIGKILL)
    lost_at = time.time()
    assert mortal_redis.publish(event(client_name, 3)) == 0
    mortal_redis.add(event(client_name, 4))
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000002"}) as stream:
        got, gaps = await read_until(stream, "evt-00000004")
        assert got == ["evt-00000004"]
        assert [gap["reason"] for gap in gaps] == ["pod-started"]
        assert gap_covers(gaps[0], lost_at, lost_at)


async def test_since_counts_from_when_an_event_was_put_into_the_journal(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start_aged()
    mortal_redis.add(event(client_name, 1))
    old_at = time.monotonic()
    await eventually("the event to be old", lambda: time.monotonic() - old_at > 1.5)
    new_at = time.monotonic()
    mortal_redis.add(event(client_name, 2))
    pod = start_pod(REDIS_URL=mortal_redis.url)
    since = time.monotonic() - new_at + 0.7
    async with await open_stream(pod.port, f"{client_name}?since={since:.3f}") as stream:
        assert await read_until(stream, "evt-00000002") == (["evt-00000002"], [])


@pytest.mark.parametrize("kept", [True, False], ids=["data-kept", "data-gone"])
async def test_redis_dies_and_comes_back(
    kept: bool, start_pod: StartPod, lasting_redis: RedisServer, client_names: Callable[[int], list[str]]
):
    pod = start_pod(REDIS_URL=lasting_redis.url)
    names = client_names(LANES)
    source = Source(lasting_redis.url, names, EVENTS_PER_SECOND, durable=True)
    lanes = [Lane(name, lambda: pod.port) for name in names]
    try:
        while not all(lane.first.is_set() for lane in lanes):
            await asyncio.to_thread(source.once)
            await asyncio.sleep(0.05)
        for name, lane in zip(names, lanes, strict=True):
            source.taken[name] = [each for each in source.taken[name] if each.event_id >= lane.read[0]]
        with source.running():
            await eventually("some traffic", lambda: all(len(lane.read) > 5 for lane in lanes))
            lasting_redis.kill()
            killed_at = time.time()
            await eventually("the outage to last", lambda: time.time() - killed_at > OUTAGE_SECONDS, OUTAGE_SECONDS + 5)
            if not kept:
                lasting_redis.forget()
            before = source.count
            await asyncio.to_thread(lasting_redis.start)
            await eventually("the pod to be ready", lambda: pod.is_ready)
            await eventually("more traffic", lambda: source.count > before + 10 * LANES)
            # A device that comes back afterwards is served, too.
            assert all(lane.cut() for lane in lanes[::2])
        await all_read_last(source, lanes, 20)
        found = outcome(source, lanes)
        print("data kept:" if kept else "data gone:", found, source.refused, "not acknowledged")
        assert found.doubled == 0
        assert found.disordered == 0
        assert found.unnamed == 0, f"lost and not told: {found}"
        if kept:
            assert found.lost == 0
            assert found.gaps == {}
        else:
            assert all(lane.gaps for lane in lanes), "who has lost its journal is told"
            assert all(gap["reason"] == "redis-outage" for lane in lanes for gap in lane.gaps)
            assert all(gap_covers(lane.gaps[0], killed_at, killed_at) for lane in lanes)
    finally:
        await asyncio.gather(*(lane.stop() for lane in lanes))


async def test_a_pod_told_to_leaves_the_journal_alone(start_pod: StartPod, redis_server: RedisServer, client_name: str):
    redis_server.add(event(client_name, 1))
    pod = start_pod(REDIS_URL=redis_server.url, DURABLE_LOG="off")
    received = pod.metric("sse_events_received_total")
    async with await open_stream(pod.port, f"{client_name}?since=60") as stream:
        assert (await stream.next()).type == "stream-gap"  # type: ignore[union-attr]
        redis_server.add(event(client_name, 2))
        redis_server.publish(event(client_name, 3))
        assert await read_until(stream, "evt-00000003") == (["evt-00000003"], [])
        redis_server.add(event(client_name, 4))
        redis_server.publish(event(client_name, 5))
        assert await read_until(stream, "evt-00000005") == (["evt-00000005"], [])
    assert pod.metric("sse_events_received_total") >= received + 2
    assert pod.metric("sse_history_events") >= 2
