"""Many connections held at once, and nothing of them left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.processes import HOST
from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, open_stream, request_bytes
from tests.support.pods import OBSERVED, Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually, wait_until

# The suite holds a thousand; STREAMS_TEST_CONNECTIONS=10000 is what a pod is made for.
CONNECTIONS = int(os.environ.get("STREAMS_TEST_CONNECTIONS", "1000"))
# The first three bring the process to its size; it is the three after them that must be flat.
WARM_UP_ROUNDS = 3
ROUNDS = 3
MIB = 1024 * 1024
# The pod keeps four threads; some of these requests are in Django at one moment.
AT_ONCE, RUSHES = 16, 3
# What the allocator may keep from one round to the next; a leak of 1 KiB a connection is more.
SLACK_BYTES = max(1.5 * MIB, CONNECTIONS * 512)


async def open_many(pod: Pod, names: list[str], at_once: int = 100) -> list[EventStream]:
    waiting = iter(names)
    opened: dict[str, EventStream] = {}

    async def open_in_turn() -> None:
        for name in waiting:
            opened[name] = await open_stream(pod.port, name)

    await asyncio.gather(*(open_in_turn() for _ in range(at_once)))
    return [opened[name] for name in names]


def threads_with_those_for_pages(pod: Pod) -> int:
    """Return how many threads a pod has once it keeps as many for Django's requests as it ever does."""
    counts = [0] * RUSHES

    def all_are_kept() -> bool:
        with ThreadPoolExecutor(AT_ONCE) as askers:
            list(askers.map(pod.json, ["/admin/connections"] * AT_ONCE))
        counts.append(pod.ps.num_threads())
        return len(set(counts[-RUSHES:])) == 1

    wait_until("threads for requests that come at once", all_are_kept)
    return counts[-1]


@pytest.mark.timeout(60 + CONNECTIONS // 20)
@pytest.mark.long
async def test_holds_many_and_keeps_nothing(start_pod: StartPod, redis_server: RedisServer):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + 200
    if soft < needed:
        assert hard >= needed, f"{CONNECTIONS} connections need ulimit -n {needed}; this shell allows {hard}"
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    pod = start_pod(REDIS_URL=redis_server.url, LOG_LEVEL="warning", HEARTBEAT_SECONDS=5)
    names = [f"MANY-{number:05d}" for number in range(CONNECTIONS)]
    descriptors, threads = pod.ps.num_fds(), 0
    resident: list[int] = []
    closed_in: list[float] = []
    for round_number in range(WARM_UP_ROUNDS + ROUNDS):
        if round_number == WARM_UP_ROUNDS:
            # The event loop's resolver has started its few threads by now.
            threads = await asyncio.to_thread(threads_with_those_for_pages, pod)
        streams = await open_many(pod, names)
        listing = pod.json("/admin/connections")
        assert listing["totalConnections"] == CONNECTIONS
        assert sorted(one["clientName"] for one in listing["connections"]) == names
        assert pod.json("/health")["connections"] == CONNECTIONS

        redis_server.publish_all(os.fsencode(f'{{"clientName":"{name}","eventId":"{name}"}}') for name in names)
        for name, stream in zip(names, streams, strict=True):
            await stream.until(name)

        await close_all(streams)
        closed_at = time.monotonic()
        await eventually("no connection to be left", lambda: pod.json("/health")["connections"] == 0, timeout=2)
        closed_in.append(time.monotonic() - closed_at)
        await eventually("the file descriptors to be closed", lambda: pod.ps.num_fds() <= descriptors, timeout=2)
        resident.append(pod.ps.memory_info().rss)
    assert pod.metric("sse_connects_total") == (WARM_UP_ROUNDS + ROUNDS) * CONNECTIONS
    assert pod.metric('sse_closes_total{reason="client-closed"}') == (WARM_UP_ROUNDS + ROUNDS) * CONNECTIONS
    await eventually("a stream not to cost a thread", lambda: pod.ps.num_threads() <= threads + 1, timeout=2)
    print(f"{CONNECTIONS} connections were gone after {', '.join(f'{seconds:.2f}' for seconds in closed_in)} s")
    rounds = ", ".join(f"{rss / MIB:.1f}" for rss in resident)
    print(f"resident after each round: {rounds} MiB")
    assert max(resident[WARM_UP_ROUNDS:]) - resident[WARM_UP_ROUNDS] < SLACK_BYTES, (
        f"memory grew from round to round: {rounds} MiB"
    )


@pytest.mark.parametrize("start", ["daphne", "uvicorn"])
async def test_leaves_no_task_behind(start: str, start_pod: StartPod, redis_server: RedisServer):
    application = "tests.support.applications.introspection:application"
    pod = start_pod(start, application=application, REDIS_URL=redis_server.url, LOG_LEVEL="warning")
    names = [f"TASK-{number:03d}" for number in range(200)]
    # A pod at rest has a handful; that each of its own is there now is not certain.
    few = len(pod.json(OBSERVED)["tasks"]) + 20
    tasks = objects = 0

    for round_number in range(ROUNDS):
        streams = await open_many(pod, names)
        # Evicted ones end by the pod's hand and not by their client's.
        streams += await open_many(pod, names)
        redis_server.publish(event(names[0], 1))
        await close_all(streams)
        await eventually("no connection to be left", lambda: pod.json("/health")["connections"] == 0, timeout=2)
        # Daphne looks once a second for requests that have ended.
        await eventually("no task to be left", lambda: len(pod.json(OBSERVED)["tasks"]) < few, timeout=10)
        if round_number == 0:
            # What is made once and kept is made by now.
            await eventually("the objects to be few", lambda: steady(pod), timeout=10)
            at_rest = pod.json(OBSERVED)
            tasks, objects = len(at_rest["tasks"]), at_rest["objects"]
    await eventually(f"no more than {tasks} tasks", lambda: len(pod.json(OBSERVED)["tasks"]) <= tasks, timeout=10)
    await eventually(
        f"no more than about {objects} objects",
        lambda: pod.json(OBSERVED)["objects"] < objects + len(names),
        timeout=10,
    )


def steady(pod: Pod) -> bool:
    """Say whether two looks, one after the other, see about as many objects."""
    first, second = (int(pod.json(OBSERVED)["objects"]) for _ in range(2))
    return abs(first - second) < 50


async def test_clients_that_drop_and_come_back_at_once_evict_nobody(start_pod: StartPod, redis_server: RedisServer):
    """A pod that was busy meanwhile finds both at once: those that have ended, and those that are there again."""
    pod = start_pod(REDIS_URL=redis_server.url, LOG_LEVEL="warning")
    names = [f"BACK-{number:05d}" for number in range(500)]
    streams = await open_many(pod, names)
    with pod.standing_still():
        await close_all(streams)
        writers = [await knock(pod, name) for name in names]
    await eventually("all to be back", lambda: pod.metric("sse_connects_total") == 2 * len(names))
    await eventually("all that left to be noted", lambda: pod.metric('sse_closes_total{reason="client-closed"}') == 500)
    for writer in writers:
        writer.close()


async def knock(pod: Pod, name: str) -> asyncio.StreamWriter:
    """Ask for a stream without waiting for an answer."""
    _reader, writer = await asyncio.open_connection(HOST, pod.port)
    writer.write(request_bytes("GET", f"/events/{name}"))
    await writer.drain()
    return writer
