"""Poison on both ingresses, and where pods speak to each other: streams go on, probes answer, nothing grows.

STREAMS_TEST_POISON_SECONDS=600 is ten minutes of it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time

import pytest

from tests.conftest import StartPod
from tests.support.clients.unresponsive import peak_memory, reset_peak_memory
from tests.support.http import EventStream, open_stream
from tests.support.poison import good, unusable
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

SECONDS = float(os.environ.get("STREAMS_TEST_POISON_SECONDS", "6"))
CHANNEL = "poisoned"
JOURNAL = f"{CHANNEL}:log"
NAME = "STORE001-LANE01"
BATCH = 500
GOOD = 5
PROBE_SECONDS = 1.0
MIB = 1024 * 1024
# The journal's share of a read, and one of the channel; what the history may hold is there before.
GROWTH_BYTES = 48 * MIB
HISTORY_BYTES = MIB
JOURNAL_NUMBERS = 50_000_000


class Poisoner:
    """Publishes what no pod can use, in batches."""

    def __init__(self, redis_server: RedisServer) -> None:
        self.unusable = 0
        self._server = redis_server
        self._bad = unusable(NAME)
        self._draw = random.Random(20260105)

    def strike(self, first_good: int) -> None:
        """Send a batch to each ingress, good events among it, and some to where pods speak to each other."""
        with self._server.client.pipeline(transaction=False) as pipeline:
            for number, message in enumerate(itertools.islice(self._bad, BATCH)):
                pipeline.publish(CHANNEL, message)
                self._append(pipeline, {"event": message})
                if number % (BATCH // GOOD) == 0:
                    event_number = first_good + number // (BATCH // GOOD)
                    pipeline.publish(CHANNEL, good(NAME, event_number)[0])
                    self._append(pipeline, {"event": good(NAME, JOURNAL_NUMBERS + event_number)[0]})
                    self._append(pipeline, {"other": message, "field": b""})
                    self.unusable += 1
                if number % 10 == 0:
                    pipeline.publish(f"{CHANNEL}:canary:{self._draw.randbytes(8).hex()}", message)
                    pipeline.publish(f"{CHANNEL}:pods:__group__pods", message)
                    life = b'[{"type":"statement","life":"%b","pod_name":"p","sent":1,"ages":[1,1]}]'
                    pipeline.publish(f"{CHANNEL}:canary:long", life % (b"%d" % number * 50_000))
            pipeline.execute()
        self.unusable += 2 * BATCH

    def _append(self, pipeline: object, fields: dict[str, bytes]) -> None:
        pipeline.xadd(JOURNAL, fields, maxlen=20_000, approximate=True)  # type: ignore[attr-defined]


async def assert_good_ones_arrive(stream: EventStream, first: int) -> None:
    """Read the good events of both ingresses, each in its own order, and nothing else."""
    channel: list[int] = []
    journal: list[int] = []
    for _ in range(2 * GOOD):
        received = await stream.next()
        assert received is not None, "the stream ended"
        assert received.type == "message", received
        number = int(received.last_event_id.removeprefix("evt-"))
        assert received.json() == good(NAME, number)[1]
        (journal if number >= JOURNAL_NUMBERS else channel).append(number)
    expected = list(range(first, first + GOOD))
    assert channel == expected
    assert journal == [JOURNAL_NUMBERS + number for number in expected]


@pytest.mark.timeout(60 + 2 * SECONDS)
async def test_poison_through_both_ingresses_stops_nothing(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL=CHANNEL, HISTORY_BYTES=HISTORY_BYTES, HEARTBEAT_SECONDS=1)
    poisoner = Poisoner(redis_server)
    slowest = 0.0
    async with await open_stream(pod.port, NAME) as stream, await open_stream(pod.port, "BYSTANDER") as bystander:
        poisoner.strike(0)
        await assert_good_ones_arrive(stream, 0)
        before, lines = reset_peak_memory(pod), pod.log.count("\n")
        began, number = time.monotonic(), 0
        while time.monotonic() - began < SECONDS:
            number += GOOD
            await asyncio.to_thread(poisoner.strike, number)
            asked = time.monotonic()
            for path in ("/health/live", "/health/ready"):
                assert (await asyncio.to_thread(pod.fetch, path, timeout=PROBE_SECONDS)).status == 200
            slowest = max(slowest, time.monotonic() - asked)
            await assert_good_ones_arrive(stream, number)
        seconds = time.monotonic() - began
        for _ in range(int(seconds)):
            assert (await bystander.next_comment(timeout=3)).startswith("heartbeat")
        counted = "sse_events_unusable_total"
        await eventually("all of it to be counted", lambda: pod.metric(counted) == poisoner.unusable)
        grown = peak_memory(pod) - before
        print(
            f"{poisoner.unusable:,} unusable messages in {seconds:.0f} s; two probes took {1000 * slowest:.0f} ms "
            f"at the most; memory {grown / MIB:+.1f} MiB at its peak"
        )
        assert grown < GROWTH_BYTES
        assert pod.metric("sse_redis_outages_total") == 0, "no message is to cost the subscription"
        assert pod.metric("sse_log_lines_dropped_total") == 0
        # One a second, and those of the probes' few connections are none.
        assert pod.log.count("\n") - lines <= seconds + 3
        assert "gap" not in pod.log


@pytest.mark.long
def test_entries_that_are_far_larger_than_those_before_them_are_not_read_by_the_hundred(
    start_pod: StartPod, mortal_redis: RedisServer
):
    mortal_redis.start()
    usual = peak_memory(start_pod(REDIS_URL=mortal_redis.url, HISTORY_BYTES=HISTORY_BYTES))
    small, large = b'{"clientName":"A"}', b'{"clientName":"A","data":"%b"}' % (b"x" * 4 * MIB)
    with mortal_redis.client.pipeline(transaction=False) as pipeline:
        for _ in range(2000):
            pipeline.xadd("events-to-store:log", {"event": small})
        pipeline.execute()
    for _ in range(100):
        mortal_redis.client.xadd("events-to-store:log", {"event": large})
    pod = start_pod(REDIS_URL=mortal_redis.url, HISTORY_BYTES=HISTORY_BYTES)
    assert pod.metric("sse_events_unusable_total") == 100
    grown = peak_memory(pod) - usual
    print(f"100 entries of 4 MiB: memory {grown / MIB:+.1f} MiB at its peak")
    assert grown < 80 * MIB
