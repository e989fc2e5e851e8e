"""Large events that come at once: whoever reads them as they come is no slow reader."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from tests.conftest import StartPod
from tests.support.clients.unresponsive import silent_clients
from tests.support.http import open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

SLOW = 'sse_closes_total{reason="slow-reader"}'


def burst(name: str, numbers: Iterable[int], size: int) -> list[str]:
    return [json.dumps(event(name, number, data="x" * size)) for number in numbers]


BURSTS = [(3, 130_000), (6, 200_000)]


@pytest.mark.parametrize("start", ["streamworker", "daphne", "uvicorn"])
@pytest.mark.parametrize(("count", "size"), BURSTS)
async def test_a_burst_reaches_a_client_that_reads(
    start: str, count: int, size: int, start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    pod = start_pod(start, REDIS_URL=redis_server.url)
    async with await open_stream(pod.port, client_name) as stream:
        # One that it had to wait for, so that it is known to have been behind.
        for first in (0, count):
            redis_server.publish_all(burst(client_name, range(first, first + count), size))
            for number in range(first, first + count):
                assert (await stream.next_json())["eventId"] == f"evt-{number:08d}"
    assert pod.metric(SLOW) == 0


async def test_a_burst_behind_a_replay_reaches_a_client_that_reads(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    # Its history is what comes now, and nothing of other tests in the journal.
    pod = start_pod(REDIS_URL=redis_server.url, DURABLE_LOG="off")
    redis_server.publish_all(burst(client_name, range(20), 100_000))
    await eventually("them to be remembered", lambda: pod.metric("sse_history_events") == 20)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000000"}) as stream:
        redis_server.publish_all(burst(client_name, range(20, 26), 130_000))
        for number in range(1, 26):
            assert (await stream.next_json())["eventId"] == f"evt-{number:08d}"
    assert pod.metric(SLOW) == 0


async def test_a_burst_is_not_kept_for_long_for_one_that_does_not_read(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    pod: Pod = start_pod(REDIS_URL=redis_server.url)
    with silent_clients(pod, [client_name], 4096):
        redis_server.publish_all(burst(client_name, range(6), 200_000))
        # Half a second, and it is looked once a second; STALL_SECONDS is 10.
        await eventually("it to be closed", lambda: pod.metric(SLOW) == 1, timeout=4)
        assert pod.metric("sse_backlog_bytes") == 0
