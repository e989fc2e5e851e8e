"""Three pods hold one stream for each client between them, with Redis and after it was away."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable

import pytest

from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, open_response, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

# What the first pod may take to close a stream that its client left for another pod.
EVICTION_SECONDS = 0.2
SAMPLES = 9
CLIENTS = 300
# From the moment at which Redis answers again.
SETTLED_SECONDS = 8.0


@pytest.fixture
def three_pods(start_pod: StartPod) -> Callable[[RedisServer], list[Pod]]:
    def start(server: RedisServer) -> list[Pod]:
        pods = [start_pod(ready=False, REDIS_URL=server.url, POD_NAME=f"pod-{number}") for number in range(3)]
        for pod in pods:
            pod.wait_ready()
            pod.wait_log("Hearing the other pods")
        return pods

    return start


def listed(pod: Pod) -> list[str]:
    return [connection["clientName"] for connection in pod.json("/admin/connections")["connections"]]


def ages(pod: Pod) -> list[int]:
    return [connection["uptime"] for connection in pod.json("/admin/connections")["connections"]]


async def settled(pods: list[Pod], names: list[str], timeout: float) -> None:
    """Wait until each name is on one pod and on no other."""

    def one_each() -> bool:
        return sorted(name for pod in pods for name in listed(pod)) == sorted(names)

    await eventually("one stream for each name", one_each, timeout)


async def assert_one_each(server: RedisServer, streams: dict[str, list[EventStream]]) -> None:
    """Publish an event to each client; one of its streams gets it, and the other was evicted and is over."""
    for number, name in enumerate(streams):
        server.publish(event(name, number))

    async def kept(stream: EventStream, event_id: str) -> bool:
        while (received := await stream.next()) is not None:
            if received.last_event_id == event_id:
                return True
            if received.type == "evicted":
                assert received.json()["reason"] == "evicted"
        assert stream.ended, "the response is to end, not to be cut"
        return False

    async def check(name: str, number: int) -> None:
        # A survivor is left open, and must still be: what one reads, the other has been denied.
        outcomes = await asyncio.gather(*(kept(stream, f"evt-{number:08d}") for stream in streams[name]))
        assert sorted(outcomes) == [False, True], f"{name}: {outcomes}"

    await asyncio.gather(*(check(name, number) for number, name in enumerate(streams)))


async def test_a_client_that_moves_is_evicted_where_it_was(
    three_pods: Callable[[RedisServer], list[Pod]],
    redis_server: RedisServer,
    client_names: Callable[[int], list[str]],
):
    pods = three_pods(redis_server)
    seconds = []
    for number, name in enumerate(client_names(SAMPLES)):
        older = await open_stream(pods[number % 3].port, name)
        # Connects closer together than pods announce them are in no order that a client could have meant.
        await asyncio.sleep(0.1)
        assert listed(pods[number % 3]) == [name]
        newer = await open_stream(pods[(number + 1) % 3].port, name)
        started = time.monotonic()
        evicted = await older.next()
        seconds.append(time.monotonic() - started)
        assert evicted is not None
        assert evicted.type == "evicted"
        assert evicted.json()["reason"] == "evicted"
        assert evicted.json()["podName"] == f"pod-{number % 3}"
        assert older.parser.retry_ms is not None
        assert older.parser.retry_ms >= 30_000
        assert await older.next() is None
        await settled(pods, [name], timeout=2)
        redis_server.publish(event(name, number))
        await newer.until(f"evt-{number:08d}")
        await older.close()
        await newer.close()
        await settled(pods, [], timeout=2)
    assert statistics.median(seconds) <= EVICTION_SECONDS, f"evicted after {seconds}"
    assert sum(pod.metric('sse_closes_total{reason="evicted"}') for pod in pods) == SAMPLES


async def test_many_clients_at_two_pods_at_the_same_instant(
    three_pods: Callable[[RedisServer], list[Pod]],
    redis_server: RedisServer,
    client_names: Callable[[int], list[str]],
):
    pods = three_pods(redis_server)
    names = client_names(CLIENTS)
    opened = await asyncio.gather(*(open_response(pods[side].port, name) for name in names for side in (0, 1)))
    streams = {name: list(opened[2 * at : 2 * at + 2]) for at, name in enumerate(names)}
    await settled(pods, names, timeout=5)
    await assert_one_each(redis_server, streams)
    await close_all(itertools.chain(*streams.values()))


@pytest.mark.parametrize("end", ["kill", "freeze"])
async def test_redis_gone_in_between(
    end: str,
    three_pods: Callable[[RedisServer], list[Pod]],
    mortal_redis: RedisServer,
    client_names: Callable[[int], list[str]],
):
    mortal_redis.start()
    pods = three_pods(mortal_redis)
    names = client_names(CLIENTS)
    if end == "kill":
        mortal_redis.kill()
    else:
        mortal_redis.freeze()
    await eventually("the pods to notice", lambda: all(pod.status("/health") == 503 for pod in pods[:2]), timeout=20)
    older = await asyncio.gather(*(open_response(pods[0].port, name) for name in names))
    newer = await asyncio.gather(*(open_response(pods[1].port, name) for name in names))
    assert [pod.connections() for pod in pods] == [CLIENTS, CLIENTS, 0], "each pod stands alone"
    if end == "kill":
        mortal_redis.start()
    else:
        mortal_redis.thaw()
    back = time.monotonic()
    await settled(pods, names, timeout=SETTLED_SECONDS)
    assert time.monotonic() - back < SETTLED_SECONDS
    assert pods[1].connections() == CLIENTS, "the younger ones are to stay"
    await eventually("the pods to be ready", lambda: all(pod.status("/health/ready") == 200 for pod in pods))
    streams = {name: [old, new] for name, old, new in zip(names, older, newer, strict=True)}
    await assert_one_each(mortal_redis, streams)
    await close_all(itertools.chain(*streams.values()))


async def test_a_pod_that_was_disconnected_for_a_moment(
    three_pods: Callable[[RedisServer], list[Pod]], mortal_redis: RedisServer
):
    mortal_redis.start()
    pods = three_pods(mortal_redis)
    older = [await open_stream(pods[0].port, f"AWAY-{number}") for number in range(5)]
    # Where an announcement was missed the ages decide, which are as old as the message that tells them.
    await eventually("the older ones to be older than that", lambda: min(ages(pods[0])) >= 1)
    # Nothing but the pods' subscriptions is cut, and redis-py mends them without a word.
    mortal_redis.client.client_kill_filter(_type="pubsub")
    newer = [await open_stream(pods[1].port, f"AWAY-{number}") for number in range(5)]
    names = [f"AWAY-{number}" for number in range(5)]
    await settled(pods, names, timeout=10)
    streams = {name: [old, new] for name, old, new in zip(names, older, newer, strict=True)}
    await assert_one_each(mortal_redis, streams)
    assert pods[1].connections() == 5, "the younger ones are to stay"
    await close_all(itertools.chain(*streams.values()))


async def test_two_clusters_on_one_redis(start_pod: StartPod, redis_server: RedisServer, client_name: str):
    # Even under one name, as nobody set POD_NAME.
    pods = [start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL=channel) for channel in ("one", "two", "two")]
    for pod in pods:
        pod.wait_log("Hearing the other pods")
    apart = await open_stream(pods[0].port, client_name)
    older = await open_stream(pods[1].port, client_name)
    newer = await open_stream(pods[2].port, client_name)
    assert [received.type for received in await older.rest()] == ["evicted"]
    assert pods[0].connections() == 1
    await close_all((apart, older, newer))
