"""A pod that is told to end sends its clients away one by one, serves each until its turn, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import resource
import signal
import time
from dataclasses import dataclass, field

import pytest

from tests.conftest import StartPod
from tests.support.clients.publishing import publishing
from tests.support.http import EventStream, open_response, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

# STREAMS_TEST_DRAIN=5000 is what a pod is made for, over the 20 s of the default.
STREAMS = int(os.environ.get("STREAMS_TEST_DRAIN", "300"))
# A tenth is a second or more: in less, a moment in which this machine stands still would count as all at once.
DRAIN_SECONDS = 10.0 if STREAMS < 1000 else 20.0
TENTHS = 10
EVENTS_PER_SECOND = 1000
BATCH_SECONDS = 0.05
RETRY_MS = range(1_000, 5_001)


@dataclass(slots=True)
class Device:
    """A client that goes to the next pod when its stream ends, and says what it has read last."""

    name: str
    numbers: list[int] = field(default_factory=list)
    last_event_id: str = ""
    read_at: float = 0.0
    left_at: float = 0.0
    retry_ms: int = 0
    replayed: int = 0

    async def live(self, first: EventStream, second: Pod) -> None:
        await self._read(first)
        self.left_at = time.monotonic()
        self.retry_ms = first.parser.retry_ms or 0
        assert first.ended, f"{self.name}: the response is to end, not to be cut"
        await first.close()
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        async with await open_stream(second.port, self.name, headers=headers) as stream:
            await self._read(stream)

    async def _read(self, stream: EventStream) -> None:
        while (got := await stream.next(timeout=120)) is not None:
            if got.type == "message":
                if "data" in got.json():
                    self.numbers.append(got.json()["data"])
                    self.last_event_id = got.last_event_id
                    self.read_at = time.monotonic()
                continue
            assert got.type == "draining", f"{self.name}: {got}"
            said = got.json()
            assert (said["type"], said["reason"]) == ("draining", "draining")


@dataclass(slots=True)
class Load:
    """Publishes a numbered event for each device in turn, at a steady rate."""

    server: RedisServer
    channel: str
    names: list[str]
    published: dict[str, int] = field(default_factory=dict)
    _at: int = 0

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        return publishing(self.server, self.channel, self._batch, BATCH_SECONDS)

    def _batch(self) -> list[str]:
        return [self._next() for _ in range(round(EVENTS_PER_SECOND * BATCH_SECONDS))]

    def _next(self) -> str:
        name = self.names[self._at % len(self.names)]
        self._at += 1
        number = self.published[name] = self.published.get(name, 0) + 1
        return json.dumps({"clientName": name, "eventId": f"{name}-{number}", "data": number})


@pytest.mark.timeout(60 + STREAMS // 20)
async def test_all_leave_evenly_and_miss_nothing(start_pod: StartPod, redis_server: RedisServer):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * STREAMS + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * STREAMS + 200), hard))
    start = functools.partial(start_pod, REDIS_URL=redis_server.url, REDIS_CHANNEL="drain")
    first = start(POD_NAME="first", DRAIN_SECONDS=DRAIN_SECONDS)
    second = start(POD_NAME="second", LOG_LEVEL="warning")
    names = [f"DRAIN-{number:04d}" for number in range(STREAMS)]
    devices = [Device(name) for name in names]
    load = Load(redis_server, "drain", names)
    streams = [await open_stream(first.port, name) for name in names]
    living = [asyncio.create_task(device.live(stream, second)) for device, stream in zip(devices, streams, strict=True)]
    async with load.running():
        await eventually("the load to be heard", lambda: all(device.numbers for device in devices))
        began = time.monotonic()
        first.process.send_signal(signal.SIGTERM)
        await assert_takes_nobody(first)
        await eventually("all to leave", lambda: all(device.left_at for device in devices), DRAIN_SECONDS + 10)
        await eventually("the pod to end", lambda: first.process.poll() is not None)
        ended_seconds = time.monotonic() - began
    assert first.process.returncode == 0
    assert_clean(first)

    for task in living:
        if task.done():
            task.result()

    def complete() -> bool:
        return all(len(device.numbers) >= load.published[device.name] for device in devices)

    await eventually("all events, from one pod or the other", complete)
    for device in devices:
        expected = list(range(1, load.published[device.name] + 1))
        assert device.numbers == expected, f"{device.name} did not get every event once and in order"
    for task in living:
        task.cancel()
    await asyncio.gather(*living, return_exceptions=True)

    seconds = sorted(device.left_at - began for device in devices)
    assert seconds[-1] <= DRAIN_SECONDS + 0.5
    shares = [0.0] * TENTHS
    for second_left in seconds:
        shares[min(TENTHS - 1, int(second_left / DRAIN_SECONDS * TENTHS))] += 1 / STREAMS
    assert max(shares) <= 0.15, f"shares of the clients that left in each tenth: {shares}"
    delays = [device.retry_ms for device in devices]
    assert all(delay in RETRY_MS for delay in delays)
    quarters = [sum(delay in range(low, low + 1000) for delay in delays) / STREAMS for low in range(1000, 5000, 1000)]
    assert max(quarters) < 0.4, f"clients for each second of their retry: {quarters}"
    total = sum(load.published.values())
    print(
        f"{STREAMS} streams left within {seconds[-1]:.2f} s of {DRAIN_SECONDS:g}, at most {max(shares):.1%} in a "
        f"tenth; {total} events, none lost; the pod ended after {ended_seconds:.2f} s"
    )


async def assert_takes_nobody(pod: Pod) -> None:
    """Fail the test unless a pod that drains says so, to each who asks in the way that fits."""
    await eventually("the pod to drain", lambda: pod.status("/health/ready") == 503, timeout=1)
    assert pod.fetch("/health/ready").json()["reason"] == "draining"
    health = pod.fetch("/health")
    assert (health.status, health.json()["status"]) == (503, "draining")
    assert pod.status("/health/live") == 200
    delays = set()
    for number in range(8):
        stream = await open_response(pod.port, f"TOO-LATE-{number}")
        assert stream.status == 200, "a browser gives up for ever on anything else"
        (farewell,) = await stream.rest(timeout=2)
        assert farewell.type == "draining"
        assert farewell.json()["podName"] == "first"
        assert stream.ended
        assert stream.parser.retry_ms in RETRY_MS
        delays.add(stream.parser.retry_ms)
        await stream.close()
    assert len(delays) > 4, "those who come too late are to go on spread"
    status = await open_response(pod.port, "TOO-LATE", headers={"Prefer": "status"})
    assert status.status == 503
    assert "retry-after" in status.headers
    await status.close()


def assert_clean(pod: Pod) -> None:
    pod.assert_no_traceback()
    for word in ("KeyError", "took too long", "Exception", "was never awaited", "was destroyed"):
        assert word not in pod.log, pod.log


async def hold(pod: Pod, count: int) -> list[EventStream]:
    return [await open_stream(pod.port, f"HELD-{number:03d}") for number in range(count)]


async def end_of(pod: Pod, streams: list[EventStream], within_seconds: float) -> set[int | None]:
    """Fail the test unless all streams end with a farewell, and the pod soon; return the retry of each."""
    began = time.monotonic()
    for stream in streams:
        assert [one.type for one in await stream.rest(timeout=within_seconds)] == ["draining"]
        assert stream.ended, "the response is to end, not to be cut"
        await stream.close()
    await eventually("the pod to end", lambda: pod.process.poll() is not None, timeout=within_seconds)
    assert time.monotonic() - began < within_seconds
    assert pod.process.returncode == 0
    assert_clean(pod)
    return {stream.parser.retry_ms for stream in streams}


async def test_a_second_sigterm_ends_it_now(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=600)
    streams = await hold(pod, 60)
    pod.process.send_signal(signal.SIGTERM)
    await eventually("the drain to begin", lambda: pod.json("/health")["status"] == "draining")
    assert pod.connections() >= 59
    pod.process.send_signal(signal.SIGTERM)
    assert len(await end_of(pod, streams, 3)) > 30, "each is to have its own retry"


async def test_sigint_ends_it_at_once(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=600)
    streams = await hold(pod, 60)
    pod.process.send_signal(signal.SIGINT)
    assert len(await end_of(pod, streams, 3)) > 30, "each is to have its own retry"


@pytest.mark.parametrize(
    "burst",
    [
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGINT),
        # What a terminal and a supervisor send together.
        (signal.SIGINT, signal.SIGTERM, signal.SIGINT),
    ],
    ids=str,
)
async def test_a_burst_of_signals_ends_it(
    burst: tuple[signal.Signals, ...], start_pod: StartPod, redis_server: RedisServer
):
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=600)
    streams = await hold(pod, 5)
    for number in burst:
        pod.process.send_signal(number)
    await end_of(pod, streams, 3)


async def test_signals_up_to_its_very_end_make_no_failure_of_it(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=600)

    def signalled_to_the_end() -> bool:
        pod.process.send_signal(signal.SIGTERM)
        return pod.process.poll() is not None

    pod.process.send_signal(signal.SIGINT)
    await eventually("the pod to end", signalled_to_the_end)
    assert pod.process.returncode == 0


async def test_those_that_leave_by_themselves_do_not_hurry_the_others(start_pod: StartPod, redis_server: RedisServer):
    """Nor do they hold up the end: it comes with the last that is there."""
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=2)
    streams = await hold(pod, 40)
    began = time.monotonic()
    pod.process.send_signal(signal.SIGTERM)
    await eventually("the drain to begin", lambda: pod.json("/health")["status"] == "draining")
    for stream in streams[20:]:
        await stream.close()
    await end_of(pod, streams[:20], 3)
    assert time.monotonic() - began < 3


async def test_a_few_do_not_wait_for_their_turn_as_long_as_thousands(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=600)
    streams = await hold(pod, 2)
    pod.process.send_signal(signal.SIGTERM)
    await end_of(pod, streams, 5)


async def test_plain_daphne_says_farewell(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod("daphne", REDIS_URL=redis_server.url)
    streams = await hold(pod, 60)
    pod.process.send_signal(signal.SIGTERM)
    delays = set()
    for stream in streams:
        (farewell,) = await stream.rest(timeout=5)
        assert farewell.type == "draining"
        assert farewell.json()["reason"] == "server-stopped"
        assert stream.parser.retry_ms in RETRY_MS
        delays.add(stream.parser.retry_ms)
        await stream.close()
    assert len(delays) > 30, "each is to have its own retry"
    await eventually("the pod to end", lambda: pod.process.poll() is not None, timeout=5)
    assert_clean(pod)
