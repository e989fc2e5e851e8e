"""An event with a deadline is not delivered after it: not after an outage, nor from the history, nor from a queue."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

from streams.wire.timestamps import iso
from tests.conftest import StartPod
from tests.support.clients.reading import read_until
from tests.support.http import open_narrow, open_stream
from tests.support.links.relayed import cut_off, relayed_pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

# A deadline, and by when it is surely over.
TTL_MS = 400


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
    mortal_redis.start_aged()
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
