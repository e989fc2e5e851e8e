"""A client that comes back gets what it missed, in order, and then what is new: no gap, no double."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.conftest import StartPod
from tests.support.barriers import heard_all, remembered
from tests.support.clients.devices import Source
from tests.support.clients.reading import gap_of, ids, ids_until
from tests.support.http import open_narrow, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

KIB = 1024
LONG_EVENTS = 100
LONG_EVENT_BYTES = 50 * KIB
MAX_BACKLOG_BYTES = 256 * KIB
LANES = 400
EVENTS_EACH = 20


@pytest.mark.parametrize("start", ["streamworker", "daphne", "uvicorn"])
@pytest.mark.parametrize("asks", ["header", "query", "both"])
async def test_replays_what_came_after_the_id(
    asks: str, start: str, pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str
):
    pod = pods(start)
    async with await open_stream(pod.port, client_name) as stream:
        for number in range(1, 6):
            redis_server.publish(event(client_name, number))
        await stream.until("evt-00000005")
    for number in range(6, 9):
        redis_server.publish(event(client_name, number))
    query = {"header": "", "query": "?lastEventId=evt-00000002", "both": "?lastEventId=evt-00000007"}[asks]
    headers = {} if asks == "query" else {"Last-Event-ID": "evt-00000002"}
    async with await open_stream(pod.port, client_name + query, headers=headers) as stream:
        redis_server.publish(event(client_name, 9))
        assert await ids_until(stream, "evt-00000009") == ids(3, 9)


async def test_without_an_id_only_what_is_new_comes(pod: Pod, redis_server: RedisServer, client_name: str):
    for number in range(3):
        redis_server.publish(event(client_name, number))
    await heard_all(pod, redis_server)
    for target, headers in ((client_name, {}), (f"{client_name}?since=0", {}), (client_name, {"Last-Event-ID": ""})):
        async with await open_stream(pod.port, target, headers=headers) as stream:
            redis_server.publish(event(client_name, 9))
            assert await ids_until(stream, "evt-00000009") == ["evt-00000009"]


async def test_the_last_id_has_nothing_to_replay(pod: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(pod.port, client_name) as stream:
        redis_server.publish(event(client_name, 1))
        await stream.until("evt-00000001")
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000001"}) as stream:
        redis_server.publish(event(client_name, 2))
        assert await ids_until(stream, "evt-00000002") == ["evt-00000002"]


async def test_ids_of_all_printable_characters(pod: Pod, redis_server: RedisServer, client_name: str):
    strange = 'a "b\\/<>&+%20é'.encode("ascii", "ignore").decode() + "~"
    async with await open_stream(pod.port, client_name) as stream:
        redis_server.publish(event(client_name, eventId=strange))
        redis_server.publish(event(client_name, 2))
        await stream.until("evt-00000002")
    target = f"{client_name}?lastEventId={quote(strange, safe='')}"
    for again, headers in ((client_name, {"Last-Event-ID": strange}), (target, {})):
        async with await open_stream(pod.port, again, headers=headers) as stream:
            assert await ids_until(stream, "evt-00000002") == ["evt-00000002"]


async def test_since_replays_the_last_seconds(start_pod: StartPod, redis_server: RedisServer, client_name: str):
    pod = start_pod(REDIS_URL=redis_server.url, DURABLE_LOG="off")
    old_at = time.monotonic()
    redis_server.publish(event(client_name, 1))
    await eventually("the event to be old", lambda: time.monotonic() - old_at > 2)
    new_at = time.monotonic()
    redis_server.publish(event(client_name, 2))
    await eventually("both to be remembered", lambda: remembered(pod) >= 2)
    since = time.monotonic() - new_at + 1
    async with await open_stream(pod.port, f"{client_name}?since={since:.3f}") as stream:
        redis_server.publish(event(client_name, 3))
        assert await ids_until(stream, "evt-00000003") == ids(2, 3)
    # More than the pod has lived: everything, and the truth about it.
    async with await open_stream(pod.port, f"{client_name}?since=86400") as stream:
        gap = await gap_of(stream)
        assert (gap["reason"], gap["lastEventId"]) == ("pod-started", None)
        assert await ids_until(stream, "evt-00000003") == ids(1, 3)


@pytest.mark.parametrize("since", ["abc", "-1", "nan", "inf", "-inf", "1,5", "%00"])
async def test_a_since_that_is_no_duration_is_refused(since: str, pod: Pod, client_name: str):
    answer = pod.fetch(f"/events/{client_name}?since={since}")
    assert answer.status == 400
    assert answer.json()["success"] is False
    assert "since" in answer.json()["error"]


async def test_no_gap_and_no_double_while_events_go_on(pod: Pod, redis_server: RedisServer, client_name: str):
    source = Source(redis_server.url, [client_name], 1000, durable=False)
    read: list[str] = []
    resumed = 0
    with source.running():
        while len(read) < 1500:
            headers = {"Last-Event-ID": read[-1]} if read else {}
            async with await open_stream(pod.port, client_name, headers=headers) as stream:
                for _ in range(random.randint(1, 60)):
                    received = await stream.next()
                    assert received is not None
                    assert received.type == "message", received
                    read.append(received.last_event_id)
            resumed += 1
    await asyncio.to_thread(source.once)
    taken = [each.event_id for each in source.taken[client_name]]
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": read[-1]}) as stream:
        read += await ids_until(stream, taken[-1])
    print(f"{resumed} reconnects, {len(read)} events")
    assert read == taken[taken.index(read[0]) :]
    assert resumed > 10


async def test_another_pod_replays_what_the_first_delivered(
    pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str
):
    both = (pods("streamworker"), pods("daphne"))
    async with await open_stream(both[0].port, client_name) as stream:
        redis_server.publish(event(client_name, 0))
        await stream.until("evt-00000000")
    for turn in range(1, 11):
        missed, live = 2 * turn - 1, 2 * turn
        redis_server.publish(event(client_name, missed))
        # The other pod delivered the last one; this one need not have heard it yet.
        await heard_all(both[turn % 2], redis_server)
        headers = {"Last-Event-ID": ids(missed - 1, missed - 1)[0]}
        async with await open_stream(both[turn % 2].port, client_name, headers=headers) as stream:
            redis_server.publish(event(client_name, live))
            assert await ids_until(stream, ids(live, live)[0]) == ids(missed, live)


async def test_an_old_stream_elsewhere_does_not_hold_up_a_replay(
    pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str
):
    first, second = pods("streamworker"), pods("daphne")
    async with await open_stream(first.port, client_name) as old:
        for number in range(1, 4):
            redis_server.publish(event(client_name, number))
        await old.until("evt-00000003")
        await heard_all(second, redis_server)
        async with await open_stream(second.port, client_name, headers={"Last-Event-ID": "evt-00000001"}) as new:
            assert await ids_until(new, "evt-00000003") == ids(2, 3)


@pytest.mark.parametrize("start", ["streamworker", "uvicorn"])
async def test_a_long_replay_goes_at_the_pace_of_its_reader(
    start: str, start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    # A journal that other tests wrote would be remembered, too.
    pod = start_pod(start, REDIS_URL=redis_server.url, DURABLE_LOG="off")
    padding = "x" * (LONG_EVENT_BYTES - len(json.dumps(event(client_name, data=""))))
    for number in range(LONG_EVENTS):
        redis_server.publish(event(client_name, number, data=padding))
    await eventually("all to be remembered", lambda: remembered(pod) == LONG_EVENTS)
    headers = {"Last-Event-ID": "evt-00000000"}
    async with await open_narrow(pod.port, client_name, 16 * KIB, headers=headers) as stream:
        # Live events come all the while, and go behind.
        backlog, got = 0.0, list[str]()
        for number in range(1, LONG_EVENTS):
            redis_server.publish(event(client_name, LONG_EVENTS - 1 + number))
            if number % 5 == 0:
                backlog = max(backlog, await asyncio.to_thread(pod.metric, "sse_backlog_bytes"))
            received = await stream.next()
            assert received is not None, f"the stream ended after {got}"
            got.append(received.last_event_id)
            assert len(received.data) == LONG_EVENT_BYTES
        live = await ids_until(stream, ids(2 * LONG_EVENTS - 2, 2 * LONG_EVENTS - 2)[0])
    print(f"{start}: {LONG_EVENTS - 1} x {LONG_EVENT_BYTES} bytes replayed; backlog up to {backlog / KIB:.0f} KiB")
    assert got + live == ids(1, 2 * LONG_EVENTS - 2)
    assert backlog <= MAX_BACKLOG_BYTES


async def test_many_that_come_back_do_not_starve_live_events(
    start_pod: StartPod, redis_server: RedisServer, client_names: Callable[[int], list[str]], client_name: str
):
    pod = start_pod(REDIS_URL=redis_server.url, DURABLE_LOG="off")
    names = client_names(LANES)
    for number in range(EVENTS_EACH):
        redis_server.publish_all(json.dumps(event(name, number, data="x" * 400)) for name in names)
    await eventually("all to be remembered", lambda: remembered(pod) == LANES * EVENTS_EACH)
    delays: list[float] = []
    over = asyncio.Event()

    async def live() -> None:
        async with await open_stream(pod.port, client_name) as stream:
            number = 0
            while not over.is_set():
                began = time.monotonic()
                await asyncio.to_thread(redis_server.publish, event(client_name, number))
                await stream.until(event("", number)["eventId"])
                delays.append(time.monotonic() - began)
                number += 1

    async def come_back(name: str) -> None:
        async with await open_stream(pod.port, name, headers={"Last-Event-ID": "evt-00000000"}) as stream:
            assert await ids_until(stream, ids(EVENTS_EACH - 1, EVENTS_EACH - 1)[0]) == ids(1, EVENTS_EACH - 1)

    living = asyncio.create_task(live())
    began = time.monotonic()
    await asyncio.gather(*(come_back(name) for name in names))
    took = time.monotonic() - began
    over.set()
    await living
    print(
        f"{LANES} clients with {EVENTS_EACH - 1} events each in {took:.2f} s; live events at most {max(delays):.3f} s"
    )
    assert pod.metric("sse_events_replayed_total") == LANES * (EVENTS_EACH - 1)
    assert max(delays) < 5
