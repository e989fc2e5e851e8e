"""A journal that lost entries: what may be missing is told, and nothing arrives twice."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.clients.devices import gap_covers
from tests.support.clients.reading import read_until
from tests.support.http import open_stream
from tests.support.links.relayed import cut_off, relayed_pod
from tests.support.redis_server import JOURNAL, RedisServer, event
from tests.support.waiting import eventually


async def waits_for_more(server: RedisServer) -> None:
    """Wait until a pod has read the journal to its end, and Redis holds its question for more."""
    await eventually("the pod to wait for more", lambda: server.client.info("clients")["blocked_clients"])


async def test_a_journal_that_lost_its_end_is_told_and_nothing_arrives_twice(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    """A Redis that writes to its disk once a second may come back without the last second."""
    mortal_redis.start()
    async with (
        relayed_pod(start_pod, mortal_redis) as (pod, relay),
        await open_stream(pod.port, client_name) as stream,
    ):
        for number in range(1, 6):
            mortal_redis.add(event(client_name, number))
        await stream.until("evt-00000005")
        async with cut_off(pod, relay):
            newest: Any = mortal_redis.client.xrevrange(JOURNAL, count=2)
            mortal_redis.client.xdel(JOURNAL, *(entry_id for entry_id, _fields in newest))
            mortal_redis.add(event(client_name, 6))
        mortal_redis.add(event(client_name, 7))
        got, gaps = await read_until(stream, "evt-00000007")
        assert got == ["evt-00000006", "evt-00000007"]
        assert [gap["reason"] for gap in gaps] == ["redis-outage"]


async def test_a_journal_that_was_trimmed_while_the_pod_was_away_is_told(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    async with (
        relayed_pod(start_pod, mortal_redis) as (pod, relay),
        await open_stream(pod.port, client_name) as stream,
    ):
        mortal_redis.add(event(client_name, 1))
        await stream.until("evt-00000001")
        async with cut_off(pod, relay):
            lost_at = time.time()
            for number in range(2, 9):
                mortal_redis.add(event(client_name, number))
            mortal_redis.client.xtrim(JOURNAL, maxlen=2, approximate=False)
        mortal_redis.add(event(client_name, 9))
        got, gaps = await read_until(stream, "evt-00000009")
        assert got == ["evt-00000007", "evt-00000008", "evt-00000009"]
        assert [gap["reason"] for gap in gaps] == ["redis-outage"]
        assert gap_covers(gaps[0], lost_at, lost_at)


@pytest.mark.parametrize(("added", "kept"), [(1500, 1000), (30, 10)], ids=["many", "few"])
@pytest.mark.parametrize("delay_seconds", [0.0, 0.1])
async def test_a_pod_that_stood_still_until_the_journal_was_trimmed_tells_it(
    delay_seconds: float, added: int, kept: int, start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    # On a slow way the pod hears Redis's clock late, and must not take the loss to be later than it was.
    async with (
        relayed_pod(start_pod, mortal_redis, delay_seconds) as (pod, _relay),
        await open_stream(pod.port, client_name) as stream,
    ):
        mortal_redis.add(event(client_name, 1))
        await stream.until("evt-00000001")
        await waits_for_more(mortal_redis)
        with pod.standing_still():
            lost_at = time.time()
            with mortal_redis.client.pipeline(transaction=False) as pipeline:
                for number in range(2, added + 2):
                    pipeline.xadd(JOURNAL, {"event": json.dumps(event(client_name, number))})
                pipeline.execute()
            mortal_redis.client.xtrim(JOURNAL, maxlen=kept, approximate=False)
            trimmed_at = time.time()
        got, gaps = await read_until(stream, event("", added + 1)["eventId"])
        assert event("", 4 * (added - kept) // 5)["eventId"] not in got, "Redis was to trim what was not read"
        # The gap comes behind the events that were read with it.
        mortal_redis.add(event(client_name, added + 2))
        gaps += (await read_until(stream, event("", added + 2)["eventId"]))[1]
        assert [gap["reason"] for gap in gaps] == ["redis-outage"]
        assert gap_covers(gaps[0], lost_at, trimmed_at)


async def test_a_journal_that_was_lost_while_the_pod_stood_still_is_told_from_then(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.add(event(client_name, 1))
        await stream.until("evt-00000001")
        await waits_for_more(mortal_redis)
        with pod.standing_still():
            # This one waits for the pod, as the answer to its question.
            mortal_redis.add(event(client_name, 2))
            lost_at = time.time()
            mortal_redis.add(event(client_name, 3))
            mortal_redis.kill()
            mortal_redis.start()
            # The pod stands still for longer than the times of a gap are rounded by.
            await asyncio.sleep(0.5)
        await eventually("the pod to be ready", lambda: pod.is_ready)
        mortal_redis.add(event(client_name, 4))
        got, gaps = await read_until(stream, "evt-00000004")
        assert got == ["evt-00000002", "evt-00000004"]
        # One for what the journal lost, and one for the outage, where the two are far apart.
        assert {gap["reason"] for gap in gaps} == {"redis-outage"}
        assert gap_covers(gaps[0], lost_at, lost_at), f"lost at {lost_at}, told {gaps[0]}"


async def test_since_does_not_claim_more_than_the_journal_holds(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start_aged()
    lost_at = time.time()
    for number in range(1, 4):
        mortal_redis.add(event(client_name, number))
        # Further apart than a busy machine is in doubt of what Redis' clock says.
        await asyncio.sleep(0.5)
    mortal_redis.client.xtrim(JOURNAL, maxlen=1, approximate=False)
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, f"{client_name}?since=60") as stream:
        got, gaps = await read_until(stream, "evt-00000003")
        assert got == ["evt-00000003"]
        assert [gap["reason"] for gap in gaps] == ["pod-started"]
        assert gap_covers(gaps[0], lost_at, lost_at)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000003"}) as stream:
        mortal_redis.add(event(client_name, 4))
        assert await read_until(stream, "evt-00000004") == (["evt-00000004"], [])
