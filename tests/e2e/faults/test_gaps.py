"""What was missed is told in the stream; what came too late is not delivered; a pod without Redis says so."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from streams.wire.timestamps import iso
from tests.conftest import StartPod
from tests.support.devices import gap_covers
from tests.support.http import open_narrow, open_response, open_stream
from tests.support.reading import read_until
from tests.support.redis_server import RedisServer, event
from tests.support.relay import Relay
from tests.support.relayed import cut_off, relayed_pod
from tests.support.waiting import eventually, wait_until

STREAMS = 20
CANARY_SECONDS = 3.0
# Altogether more than the kernel and Redis hold for a subscriber. Valkey does not count
# larger messages as held: it keeps them once for all subscribers.
FILLER_BYTES, FILLERS, FILLS = 8_000, 100, 200
# So much is held in Redis, and not just on its way to the kernel.
HELD_BYTES = 1_000_000
# A deadline, and by when it is surely over.
TTL_MS = 400


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
    for stream in streams:
        await stream.close()


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
    mortal_redis.start()
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
    mortal_redis.start()
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


def deadlines() -> dict[str, dict[str, Any]]:
    """Return the two ways to set a deadline, and what sets none."""
    now = time.time()
    return {
        "evt-ttl": {"ttlMs": TTL_MS, "timestamp": iso(now)},
        "evt-by": {"deliverBy": iso(now + TTL_MS / 1000)},
        "evt-later": {"ttlMs": 600_000, "timestamp": iso(now)},
        "evt-never": {},
    }


async def test_an_event_of_an_outage_is_not_delivered_after_its_deadline(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    async with (
        relayed_pod(start_pod, mortal_redis) as (pod, relay),
        await open_stream(pod.port, client_name) as stream,
    ):
        async with cut_off(pod, relay):
            published = time.monotonic()
            for event_id, fields in deadlines().items():
                mortal_redis.add(event(client_name, **{"eventId": event_id, **fields}))
            await eventually("the deadline to pass", lambda: time.monotonic() - published > TTL_MS / 1000 + 0.1)
        ids, _gaps = await read_until(stream, "evt-never")
        assert ids == ["evt-later", "evt-never"]
        assert await asyncio.to_thread(pod.metric, "sse_events_expired_total") == 2
        assert await asyncio.to_thread(pod.metric, "sse_events_foreign_total") == 0


async def test_an_event_in_the_history_is_not_replayed_after_its_deadline(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.publish(event(client_name, 1))
        await stream.until("evt-00000001")
    await eventually("the client to be gone", lambda: pod.connections() == 0)
    published = time.monotonic()
    for event_id, fields in deadlines().items():
        mortal_redis.publish(event(client_name, **{"eventId": event_id, **fields}))
    headers = {"Last-Event-ID": "evt-00000001"}
    await eventually("all to be remembered", lambda: pod.metric("sse_history_events") == 5)
    assert pod.metric("sse_events_expired_total") == 0
    await eventually("the deadline to pass", lambda: time.monotonic() - published > TTL_MS / 1000 + 0.1)
    async with await open_stream(pod.port, client_name, headers=headers) as stream:
        assert await read_until(stream, "evt-never") == (["evt-later", "evt-never"], [])
    assert pod.metric("sse_events_expired_total") == 2
    assert pod.metric("sse_events_foreign_total") == 4, "an event for nobody here is counted once"
    # A pod that was down meanwhile reads the journal with the same care.
    published = time.monotonic()
    for event_id, fields in deadlines().items():
        mortal_redis.add(event(client_name, **{"eventId": event_id, **fields}))
    pod.terminate(signal.SIGKILL)
    await eventually("the deadline to pass", lambda: time.monotonic() - published > TTL_MS / 1000 + 0.1)
    pod = start_pod(REDIS_URL=mortal_redis.url)
    async with await open_stream(pod.port, client_name, headers=headers) as stream:
        ids, _gaps = await read_until(stream, "evt-never")
        assert ids == ["evt-later", "evt-never"]
    assert pod.metric("sse_events_expired_total") == 2
    assert pod.metric("sse_events_foreign_total") == 4


@pytest.mark.parametrize("behind", [False, True], ids=["in-the-replay", "behind-it"])
async def test_a_deadline_may_pass_while_an_event_waits_its_turn(
    behind: bool, start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    # More than the kernels on both sides take for a client that does not read.
    for number in range(10):
        mortal_redis.publish(event(client_name, number, data="x" * 200_000))
    await eventually("all to be remembered", lambda: pod.metric("sse_history_events") == 10)

    def publish() -> float:
        for event_id, fields in deadlines().items():
            mortal_redis.publish(event(client_name, **{"eventId": event_id, **fields}))
        return time.monotonic()

    published = 0.0 if behind else publish()
    headers = {"Last-Event-ID": "evt-00000000"}
    async with await open_narrow(pod.port, client_name, 16 * 1024, headers=headers) as stream:
        if behind:
            published = publish()
            await eventually(
                "the pod to hear it", lambda: pod.metric("sse_events_received_total") == 10 + len(deadlines())
            )
        assert time.monotonic() - published < TTL_MS / 1000, "too slow to prove anything"
        await eventually("the deadline to pass", lambda: time.monotonic() - published > TTL_MS / 1000 + 0.1)
        ids, _gaps = await read_until(stream, "evt-never")
        assert ids[-3:] == ["evt-00000009", "evt-later", "evt-never"]
        assert len(ids) == 11


async def test_a_redis_that_freezes_turns_readiness_red(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url, CANARY_SECONDS=CANARY_SECONDS)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.freeze()
        frozen_at = time.monotonic()

        def red() -> bool:
            assert pod.status("/health/live") == 200
            return pod.status("/health/ready") == 503

        await eventually("readiness to go", red, timeout=CANARY_SECONDS + 3)
        red_after = time.monotonic() - frozen_at
        assert "comes back" in pod.json("/health/ready")["reason"]
        await eventually("some time", lambda: time.monotonic() - frozen_at > CANARY_SECONDS + 1)
        mortal_redis.thaw()
        thawed_at = time.monotonic()
        await eventually("readiness to come back", lambda: pod.is_ready, timeout=5)
        print(f"red {red_after:.1f} s after SIGSTOP, ready {time.monotonic() - thawed_at:.1f} s after SIGCONT")
        mortal_redis.publish(event(client_name, 1))
        ids, _gaps = await read_until(stream, "evt-00000001")
        assert ids == ["evt-00000001"]


async def test_nobody_ever_sees_the_canary(start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url, CANARY_SECONDS=1)
    channels = [channel for channel in mortal_redis.client.pubsub_channels() if b"canary" in channel]
    patterns = int(mortal_redis.client.pubsub_numpat())
    assert (channels, patterns) == ([], 1)
    published = mortal_redis.client.info("commandstats")["cmdstat_publish"]["calls"]
    async with await open_stream(pod.port, client_name) as stream:
        # Three of them a second.
        wait_until(
            "canaries to fly",
            lambda: mortal_redis.client.info("commandstats")["cmdstat_publish"]["calls"] > published + 4,
        )
        mortal_redis.publish(event(client_name, 1))
        assert await read_until(stream, "evt-00000001") == (["evt-00000001"], [])
    assert pod.metric("sse_events_received_total") == 1
    assert pod.metric("sse_events_unusable_total") == 0
    assert pod.metric("sse_canary_age_seconds") < 1
