"""Heartbeats come to each client once in a period, and to all clients spread over it."""

from __future__ import annotations

import asyncio
import itertools
import re
import time

from tests.conftest import StartPod
from tests.support.http import open_stream
from tests.support.redis_server import RedisServer

PERIOD_SECONDS = 2.0
CLIENTS = 120
BEATS = 3


async def test_heartbeats_are_spread_over_the_period(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, HEARTBEAT_SECONDS=PERIOD_SECONDS)

    async def beats(number: int) -> list[float]:
        async with await open_stream(pod.port, f"BEAT-{number}") as stream:
            times = []
            for _ in range(BEATS):
                comment = await stream.next_comment()
                times.append(time.monotonic())
                assert re.fullmatch(r"heartbeat \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", comment)
            return times

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(beats(number)) for number in range(CLIENTS)]
    all_times = [task.result() for task in tasks]
    for times in all_times:
        for earlier, later in itertools.pairwise(times):
            assert 0.5 * PERIOD_SECONDS < later - earlier < 1.5 * PERIOD_SECONDS, f"a period of {later - earlier:.2f} s"
    # Tenths of the period: spread evenly, each holds a tenth of the clients.
    tenths = [int(times[-1] % PERIOD_SECONDS / PERIOD_SECONDS * 10) for times in all_times]
    shares = [tenths.count(tenth) / CLIENTS for tenth in range(10)]
    assert max(shares) < 0.4, f"clients for each tenth of the period: {shares}"
    assert sum(share > 0 for share in shares) >= 7, f"clients for each tenth of the period: {shares}"


async def test_heartbeats_are_unseen_by_onmessage(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, HEARTBEAT_SECONDS=1)
    async with await open_stream(pod.port, "BEAT") as stream:
        await stream.next_comment()
        redis_server.publish({"clientName": "BEAT", "eventId": "evt-1"})
        event = await stream.next()
        assert event is not None
        assert event.json() == {"clientName": "BEAT", "eventId": "evt-1"}
