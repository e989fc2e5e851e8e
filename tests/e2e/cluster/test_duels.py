"""Two devices with one name would evict each other for ever: one of them keeps it, and both are named."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, open_response, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event

DUEL = 'sse_closes_total{reason="duel"}'
EVICTED = 'sse_closes_total{reason="evicted"}'
RETRY_MS = range(30_000, 60_001)


def address_of(stream: EventStream) -> str:
    host, port = stream._writer.get_extra_info("sockname")
    return f"{host}:{port}"


@pytest.mark.parametrize("start", ["streamworker", "daphne", "uvicorn"])
async def test_the_incumbent_stays(start: str, start_pod: StartPod, redis_server: RedisServer):
    limit = 3
    pod = start_pod(start, REDIS_URL=redis_server.url, DUEL_LIMIT=limit)
    streams = [await open_stream(pod.port, "TWICE") for _ in range(limit + 1)]
    for evicted in streams[:-1]:
        (farewell,) = await evicted.rest()
        assert farewell.type == "evicted"
        assert farewell.json()["reason"] == "evicted"
        assert evicted.parser.retry_ms in RETRY_MS
    incumbent = streams[-1]

    newcomer = await open_response(pod.port, "TWICE")
    assert newcomer.status == 200, "a browser gives up for ever on anything else"
    assert newcomer.headers["content-type"] == "text/event-stream"
    (farewell,) = await newcomer.rest()
    assert farewell.type == "evicted"
    said = farewell.json()
    assert (said["type"], said["reason"], said["podName"]) == ("evicted", "duel", "pod-under-test")
    assert newcomer.ended
    assert newcomer.parser.retry_ms in RETRY_MS

    redis_server.publish(event("TWICE", 5))
    await incumbent.until("evt-00000005")
    assert pod.connections() == 1
    assert pod.metric(EVICTED) == limit
    assert pod.metric(DUEL) == 1
    pod.wait_log("Duel for TWICE")
    line = next(line for line in pod.log.splitlines() if "Duel for TWICE" in line)
    assert address_of(incumbent) in line
    assert address_of(newcomer) in line
    # Nobody else's name is closed to newcomers.
    async with await open_stream(pod.port, "OTHER"), await open_stream(pod.port, "OTHER"):
        assert pod.metric(EVICTED) == limit + 1
    await close_all([*streams, newcomer])


async def test_two_devices_that_never_give_up_do_not_fight_for_ever(start_pod: StartPod, redis_server: RedisServer):
    limit = 5
    pod = start_pod(REDIS_URL=redis_server.url, DUEL_LIMIT=limit)
    until = time.monotonic() + 1

    async def device() -> None:
        # In more of a hurry than any EventSource: it ignores `retry`.
        while time.monotonic() < until:
            async with await open_response(pod.port, "FOUGHT-FOR") as stream:
                try:
                    await stream.rest(timeout=max(0.0, until - time.monotonic()))
                except TimeoutError:
                    return
            await asyncio.sleep(0.02)

    await asyncio.gather(device(), device())
    assert pod.metric(EVICTED) == limit
    assert pod.metric(DUEL) > 10
    lines = re.findall("Duel for FOUGHT-FOR", pod.log)
    print(f"{limit} evictions, then {pod.metric(DUEL):g} newcomers turned away, {len(lines)} lines of log")


async def device(pod: Pod, which: str, last_event_id: str = "") -> EventStream:
    """Come as one of two tills that were set up under one name."""
    headers = {"User-Agent": which} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    return await open_response(pod.port, "TWICE", headers=headers)


@pytest.mark.parametrize("count", [1, 2], ids=["on one pod", "each on its pod"])
async def test_two_polite_devices_are_found_at_their_third_turn(
    count: int, start_pod: StartPod, redis_server: RedisServer
):
    """Each comes back only after it was sent away, as slowly as it likes: here at once, which no limit forbids."""
    pods = [start_pod(REDIS_URL=redis_server.url, DUEL_LIMIT=1000, POD_NAME=f"pod-{number}") for number in range(count)]
    for pod in pods:
        pod.wait_log("Hearing the other pods")
    first, second = pods[0], pods[-1]

    async with await device(first, "one") as one:
        redis_server.publish(event("TWICE", 1))
        await one.until("evt-00000001")
        other = await device(second, "other")
        assert [received.type for received in await one.rest()] == ["evicted"]
    redis_server.publish(event("TWICE", 2))
    await other.until("evt-00000002")
    async with other, await device(first, "one", "evt-00000001") as one:
        assert [received.type for received in await other.rest()] == ["evicted"]
        redis_server.publish(event("TWICE", 3))
        await one.until("evt-00000003")
        for number in (4, 5):
            # Found at the third turn: whatever it missed is not shown a second time.
            async with await device(second, "other", "evt-00000002") as refused:
                (farewell,) = await refused.rest()
                assert farewell.json()["reason"] == "duel"
                assert refused.parser.retry_ms in RETRY_MS
            redis_server.publish(event("TWICE", number))
            received = await one.next()
            assert received is not None
            assert received.last_event_id == f"evt-{number:08d}"
    assert second.metric(DUEL) == 2
    assert sum(pod.metric(EVICTED) for pod in pods) == 2
    second.wait_log("Duel for TWICE")
    lines = [line for line in (first.log + second.log).splitlines() if "Duel for TWICE" in line]
    assert any("(one)" in line for line in lines)
    assert any("(other)" in line for line in lines)
