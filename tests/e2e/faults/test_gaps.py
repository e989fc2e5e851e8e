"""What a client may have missed is told in its stream, once, and from when on."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable

import pytest

from streams.wire.timestamps import iso
from tests.conftest import StartPod
from tests.support.clients.devices import gap_covers
from tests.support.clients.reading import read_until
from tests.support.http import close_all, open_response, open_stream
from tests.support.links.relay import Relay
from tests.support.links.relayed import relayed_pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

STREAMS = 20
CANARY_SECONDS = 3.0
# Altogether more than the kernel and Redis hold for a subscriber. Valkey does not count
# larger messages as held: it keeps them once for all subscribers.
FILLER_BYTES, FILLERS, FILLS = 8_000, 100, 200
# So much is held in Redis, and not just on its way to the kernel.
HELD_BYTES = 1_000_000


@pytest.mark.parametrize("durable_log", ["on", "off"])
async def test_an_outage_is_told_once_to_every_open_stream(
    durable_log: str, start_pod: StartPod, mortal_redis: RedisServer, client_names: Callable[[int], list[str]]
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url, DURABLE_LOG=durable_log)
    names = client_names(STREAMS)
    streams = [await open_stream(pod.port, name) for name in names]
    for number in range(2):
        for name, stream in zip(names, streams, strict=True):
            mortal_redis.publish(event(name, 2 * number))
            _ids, gaps = await read_until(stream, event("", 2 * number)["eventId"])
            assert gaps == [], "nothing is told before the link is lost"
        began = time.time()
        mortal_redis.kill()
        await eventually("readiness to go", lambda: pod.status("/health/ready") == 503, timeout=3)
        assert pod.status("/health/live") == 200
        ended = time.time()
        mortal_redis.start()
        await eventually("readiness to come back", lambda: pod.is_ready, timeout=5)
        for name, stream in zip(names, streams, strict=True):
            mortal_redis.publish(event(name, 2 * number + 1))
            _ids, gaps = await read_until(stream, event("", 2 * number + 1)["eventId"])
            assert [(gap["type"], gap["reason"], gap["lastEventId"]) for gap in gaps] == [
                ("stream-gap", "redis-outage", None)
            ]
            assert {"type", "podName", "timestamp", "reason", "lastEventId", "from", "to"} == gaps[0].keys()
            assert gap_covers(gaps[0], began, began)
            assert gap_covers(gaps[0], ended, ended)
    # Who was away meanwhile is told when it comes back, with what there is.
    headers = {"Last-Event-ID": event("", 1)["eventId"]}
    async with await open_stream(pod.port, names[0], headers=headers) as stream:
        ids, gaps = await read_until(stream, event("", 3)["eventId"])
        assert ids == [event("", number)["eventId"] for number in (2, 3)]
        assert [(gap["reason"], gap["lastEventId"]) for gap in gaps] == [("redis-outage", headers["Last-Event-ID"])]
    assert pod.metric('sse_stream_gaps_total{reason="redis-outage"}') == 2 * STREAMS + 1
    await close_all(streams)


async def test_an_outage_that_lost_nothing_is_not_told(
    start_pod: StartPod, lasting_redis: RedisServer, client_name: str
):
    """Where nobody ever published by Pub/Sub, the journal is all that there is to miss."""
    pod = start_pod(REDIS_URL=lasting_redis.url)
    async with await open_stream(pod.port, client_name) as stream:
        lasting_redis.add(event(client_name, 1))
        await stream.until("evt-00000001")
        lasting_redis.kill()
        await eventually("readiness to go", lambda: not pod.is_ready, timeout=3)
        lasting_redis.start()
        lasting_redis.add(event(client_name, 2))
        assert await read_until(stream, "evt-00000002") == (["evt-00000002"], [])


async def test_a_link_that_died_in_silence_is_told_from_when_it_was_last_heard(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    async with (
        relayed_pod(start_pod, mortal_redis) as (pod, relay),
        await open_stream(pod.port, client_name) as stream,
    ):
        mortal_redis.publish(event(client_name, 1))
        await stream.until("evt-00000001")
        relay.swallow()
        earliest = time.time()
        assert mortal_redis.publish(event(client_name, 2)) == 1, "Redis does not know either"
        latest = time.time()
        # The pod notices only now.
        await asyncio.sleep(1)
        relay.restore()
        await eventually("the pod to notice", lambda: pod.metric("sse_redis_outages_total") == 1)
        await eventually("the pod to be ready", lambda: pod.is_ready)
        mortal_redis.publish(event(client_name, 3))
        ids, gaps = await read_until(stream, "evt-00000003")
        assert ids == ["evt-00000003"]
        assert len(gaps) == 1
        assert gap_covers(gaps[0], earliest, latest), f"lost at {iso(latest)}, told {gaps[0]}"


async def test_what_redis_had_kept_for_a_pod_that_it_cut_is_told(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    """Redis drops what it holds for a subscriber that is too far behind: what was published before the cut."""
    mortal_redis.start()
    mortal_redis.client.config_set("client-output-buffer-limit", "pubsub 4mb 0 0")
    pod = start_pod(REDIS_URL=mortal_redis.url, CANARY_SECONDS=CANARY_SECONDS)
    filler = json.dumps(event("ELSE-ELSE0001", 0, data="x" * FILLER_BYTES))

    def held_bytes() -> int | None:
        held = [client["omem"] for client in mortal_redis.client.client_list() if client["psub"] == "1"]
        return int(held[0]) if held else None

    def fill(enough: Callable[[], bool]) -> None:
        for _ in range(FILLS):
            mortal_redis.publish_all([filler] * FILLERS)
            if enough():
                return
        raise AssertionError("Redis was to hold back what the pod does not read")

    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.publish(event(client_name, 1))
        await stream.until("evt-00000001")
        with pod.standing_still():
            fill(lambda: (held_bytes() or 0) > HELD_BYTES)
            earliest = time.time()
            assert mortal_redis.publish(event(client_name, 2)) == 1, "Redis keeps it for the pod"
            latest = time.time()
            fill(lambda: held_bytes() is None)
            # The pod stands still for longer than the times of a gap are rounded by.
            await asyncio.sleep(0.5)
        await eventually("the pod to notice", lambda: pod.metric("sse_redis_outages_total") == 1)
        await eventually("the pod to be ready", lambda: pod.is_ready)
        mortal_redis.publish(event(client_name, 3))
        ids, gaps = await read_until(stream, "evt-00000003")
        assert ids == ["evt-00000003"]
        assert [gap["reason"] for gap in gaps] == ["redis-outage"]
        assert gap_covers(gaps[0], earliest, latest), f"lost at {iso(latest)}, told {gaps[0]}"


async def test_what_was_published_while_a_pod_started_is_told(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    async with Relay([mortal_redis.port]) as relay:
        relay.refuse()
        pod = start_pod(REDIS_URL=f"redis://127.0.0.1:{relay.port}", ready=False)
        await asyncio.to_thread(pod.wait_live)
        mortal_redis.start()
        earliest = time.time()
        assert mortal_redis.publish(event(client_name, 1)) == 0
        latest = time.time()
        stream = await open_response(pod.port, client_name, headers={"Last-Event-ID": "evt-00000000"})
        relay.restore()
        await eventually("the pod to be ready", lambda: pod.is_ready)
        mortal_redis.publish(event(client_name, 2))
        assert (await stream.next_json())["type"] == "connected"
        ids, gaps = await read_until(stream, "evt-00000002")
        assert ids == ["evt-00000002"]
        assert [gap["reason"] for gap in gaps] == ["pod-started"]
        assert gap_covers(gaps[0], earliest, latest), f"lost at {iso(latest)}, told {gaps[0]}"
        await stream.close()


async def test_a_restarted_pod_tells_that_it_knows_nothing(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start_aged()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.publish(event(client_name, 1))
        await stream.until("evt-00000001")
        await eventually("the use of Pub/Sub to be marked", mortal_redis.channel_is_marked)
        pod.terminate(signal.SIGKILL)
        assert (await stream.rest(), stream.ended) == ([], False)
    lost_at = time.time()
    mortal_redis.publish(event(client_name, 2))
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000001"}) as stream:
        mortal_redis.publish(event(client_name, 3))
        ids, gaps = await read_until(stream, "evt-00000003")
        assert ids == ["evt-00000003"]
        assert [(gap["reason"], gap["lastEventId"]) for gap in gaps] == [("pod-started", "evt-00000001")]
        assert gap_covers(gaps[0], lost_at, lost_at)


async def test_the_use_of_pubsub_is_known_after_redis_lost_its_data(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start_aged()
    witness = start_pod(REDIS_URL=mortal_redis.url)
    mortal_redis.publish(event(client_name, 1))
    await eventually("the use of Pub/Sub to be marked", mortal_redis.channel_is_marked)
    mortal_redis.kill()
    await eventually("readiness to go", lambda: not witness.is_ready, timeout=3)
    mortal_redis.start()
    await eventually("readiness to come back", lambda: witness.is_ready, timeout=5)
    lost_at = time.time()
    mortal_redis.publish(event(client_name, 2))
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000001"}) as stream:
        mortal_redis.publish(event(client_name, 3))
        ids, gaps = await read_until(stream, "evt-00000003")
        assert ids == ["evt-00000003"]
        assert [gap["reason"] for gap in gaps] == ["pod-started"]
        assert gap_covers(gaps[0], lost_at, lost_at), gaps
