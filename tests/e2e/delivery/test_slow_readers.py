"""A client that does not read costs the pod a bounded backlog, for a bounded time, and nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from streams.transport.socket_options import SEND_BUFFER_BYTES
from tests.conftest import StartPod
from tests.support.clients.publishing import publishing
from tests.support.clients.unresponsive import peak_memory, reset_peak_memory, silent_clients
from tests.support.http import EventStream, close_all, open_stream
from tests.support.marks import long
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

# STREAMS_TEST_SLOW_READERS=full is the size that a pod is made for; it takes two minutes.
FULL = os.environ.get("STREAMS_TEST_SLOW_READERS", "") == "full"
SILENT = 200 if FULL else 40
GOOD = 1000 if FULL else 30
EVENTS_PER_SECOND = 5000 if FULL else 3000
GOOD_EVENTS_PER_SECOND = 1000 if FULL else 300
MEASURED_SECONDS = 20.0 if FULL else 1.0
WAVES = 2
EVENT_BYTES = 4096
BATCH_SECONDS = 0.02

KIB = 1024
MIB = 1024 * KIB
MAX_BACKLOG_BYTES = 256 * KIB
# The kernel doubles what it is asked for.
KERNEL_BYTES = 2 * SEND_BUFFER_BYTES
# What the kernel of a client takes for it before the pod is told to wait.
RECEIVE_BYTES = 4 * KIB
# The interpreter's own breathing: arenas, the events in flight, the answers to this test.
SLACK_BYTES = 8 * MIB

SLOW = 'sse_closes_total{reason="slow-reader"}'


class Load:
    """Publishes large events for the silent names and small, stamped ones for the good, at a steady rate."""

    def __init__(self, server: RedisServer, channel: str, good: list[str]) -> None:
        self.published = dict.fromkeys(good, 0)
        self._server = server
        self._channel = channel
        self._silent: list[bytes] = []
        self._good = good
        self._large_at = self._good_at = 0

    @staticmethod
    def _large(name: str) -> bytes:
        head, tail = b'{"clientName":"%b","data":"' % name.encode(), b'"}'
        return head + b"x" * (EVENT_BYTES - len(head) - len(tail)) + tail

    def beside(self, silent: list[str]) -> contextlib.AbstractAsyncContextManager[None]:
        """Publish for the silent ones, too, meanwhile."""
        self._silent = [self._large(name) for name in silent]
        return publishing(self._server, self._channel, self._batch, BATCH_SECONDS)

    def _batch(self) -> Iterator[bytes]:
        if self._silent:
            for _ in range(round(EVENTS_PER_SECOND * BATCH_SECONDS)):
                yield self._silent[self._large_at % len(self._silent)]
                self._large_at += 1
        for _ in range(round(GOOD_EVENTS_PER_SECOND * BATCH_SECONDS)):
            name = self._good[self._good_at % len(self._good)]
            self._good_at += 1
            self.published[name] += 1
            number = self.published[name]
            yield b'{"clientName":"%b","data":{"number":%d,"sentAt":%r}}' % (
                name.encode(),
                number,
                time.monotonic(),
            )


class Audience:
    """The clients that read all the time; keeps what they got and how long it took."""

    def __init__(self, streams: dict[str, EventStream]) -> None:
        self.received: dict[str, list[int]] = {name: [] for name in streams}
        self.delays_ms: list[float] = []
        self._tasks = [asyncio.create_task(self._read(name, stream)) for name, stream in streams.items()]

    async def _read(self, name: str, stream: EventStream) -> None:
        while (got := await stream.next(timeout=600)) is not None:
            now = time.monotonic()
            data = got.json()["data"]
            self.received[name].append(data["number"])
            self.delays_ms.append(1000 * (now - data["sentAt"]))
        raise AssertionError(f"the stream of {name}, which reads all the time, was ended")

    def take_p99_ms(self) -> float:
        """Return the 99th percentile of the delays since the last call."""
        delays, self.delays_ms = sorted(self.delays_ms), []
        return delays[len(delays) * 99 // 100]

    async def wait_for_all(self, published: dict[str, int]) -> None:
        """Fail the test unless every client gets every event once and in order."""

        def complete() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return all(len(self.received[name]) >= count for name, count in published.items())

        await eventually("all events of those that read", complete)
        for name, count in published.items():
            assert self.received[name] == list(range(1, count + 1)), f"{name} did not get its events once and in order"

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def audience(pod: Pod, names: list[str]) -> AsyncIterator[Audience]:
    streams = {name: await open_stream(pod.port, name) for name in names}
    reading = Audience(streams)
    try:
        yield reading
    finally:
        await reading.stop()
        await close_all(streams.values())


async def closes(pod: Pod, count: int, *, within_seconds: float) -> bool:
    """Say whether the pod closes so many slow readers in time; ask in a way that holds up no reader here."""
    deadline = time.monotonic() + within_seconds
    while await asyncio.to_thread(pod.metric, SLOW) < count:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


def bytes_given_to(pod: Pod, name: str) -> int:
    """Return the bytes that the pod had written for a client when it closed it, from its log."""
    return int(pod.search_log(rf"Client {re.escape(name)} disconnected \(slow-reader\) .* (\d+) bytes")[1])


@pytest.mark.timeout(400)
@pytest.mark.parametrize("start", ["streamworker", long("daphne"), long("uvicorn")])
async def test_a_backlog_is_bounded_and_harms_nobody_else(start: str, start_pod: StartPod, redis_server: RedisServer):
    channel = f"slow-readers-{start}"
    pod = start_pod(
        start,
        REDIS_URL=redis_server.url,
        REDIS_CHANNEL=channel,
        STALL_SECONDS=600,
        # Events stay in a pod's history, which is not what is measured here.
        HISTORY_SECONDS=0,
        HISTORY_BYTES=0,
    )
    # An ASGI server gives its application no socket, whose kernel buffer therefore grows to its limit.
    in_kernel, silent_count = (KERNEL_BYTES, SILENT) if start != "uvicorn" else (4 * MIB, SILENT // 10)
    good = [f"GOOD-{number:04d}" for number in range(GOOD)]
    silent = [f"SILENT-{number:04d}" for number in range(silent_count)]
    bound = silent_count * (MAX_BACKLOG_BYTES + KERNEL_BYTES) + SLACK_BYTES
    # All of them get the same share, so all reach their bound at about the same time.
    due_seconds = silent_count * (MAX_BACKLOG_BYTES + in_kernel) / (EVENTS_PER_SECOND * EVENT_BYTES)
    async with audience(pod, good) as reading:
        load = Load(redis_server, channel, good)
        # The same events, while nobody is there for the large ones.
        async with load.beside(silent):
            await closes(pod, 1, within_seconds=MEASURED_SECONDS)
        await reading.wait_for_all(load.published)
        p99_ms = [reading.take_p99_ms()]
        peaks, seconds = [], []
        descriptors, before = pod.ps.num_fds(), reset_peak_memory(pod)
        for wave in range(1, WAVES + 1):
            with silent_clients(pod, silent, RECEIVE_BYTES):
                began = time.monotonic()
                async with load.beside(silent):
                    assert await closes(pod, wave * silent_count, within_seconds=3 * due_seconds + 15)
                seconds.append(time.monotonic() - began)
                peaks.append(peak_memory(pod) - before)
                await reading.wait_for_all(load.published)
                p99_ms.append(reading.take_p99_ms())
                assert pod.connections() == GOOD
                await eventually("the sockets to be closed", lambda: pod.ps.num_fds() <= descriptors, timeout=5)
        assert max(peaks) <= bound, f"memory grew by {max(peaks)} bytes"
        # The allocator may keep what it was given back, for the next; it must not need more for them.
        assert peaks[-1] <= peaks[0] + SLACK_BYTES, f"what waited for closed clients is still there: {peaks}"
        if start != "uvicorn":
            given = max(bytes_given_to(pod, name) for name in silent)
            assert given <= MAX_BACKLOG_BYTES + KERNEL_BYTES + 4 * RECEIVE_BYTES + EVENT_BYTES
    print(
        f"{start}: {silent_count} silent among {GOOD}, twice: all closed after {seconds} s; "
        f"memory +{[round(peak / MIB, 1) for peak in peaks]} MiB at most, {bound / MIB:.1f} allowed; "
        f"p99 of the others {p99_ms} ms, the first of them without the silent"
    )


@pytest.mark.parametrize("start", ["streamworker", long("daphne"), long("uvicorn")])
async def test_a_small_backlog_is_given_up_when_it_stalls(start: str, start_pod: StartPod, redis_server: RedisServer):
    stall_seconds = 1.0
    pod = start_pod(start, REDIS_URL=redis_server.url, STALL_SECONDS=stall_seconds, LOG_LEVEL="info")
    # They add up to too small an amount for MAX_BACKLOG_BYTES: only the time can tell.
    async with await open_stream(pod.port, "GOOD") as good:
        with silent_clients(pod, ["STALLED"], RECEIVE_BYTES):
            for number in range(1, 1000):
                redis_server.publish(event("STALLED", number, data="x" * 20_000))
                await eventually("the event to be heard", lambda: pod.metric("sse_events_delivered_total") == number)  # noqa: B023
                # A single one may only be on its way.
                if pod.metric("sse_backlog_bytes") > 2 * 20_000:
                    break
            began = time.monotonic()
            await eventually("the stalled client to be closed", lambda: pod.metric(SLOW) == 1, timeout=10)
            seconds = time.monotonic() - began
            # Looked at once a second.
            assert stall_seconds - 0.5 <= seconds <= stall_seconds + 2.5
            assert pod.status("/admin/client/STALLED") == 404
            assert pod.metric("sse_backlog_bytes") == 0
        redis_server.publish(event("GOOD", 9))
        await good.until("evt-00000009")
    print(f"{start}: closed {seconds:.1f} s after it stalled, with STALL_SECONDS={stall_seconds:g}")


async def test_one_who_reads_slowly_is_not_given_up(start_pod: StartPod, redis_server: RedisServer):
    """A line that is thin and not dead: its backlog moves, so that it stays and loses nothing."""
    pod = start_pod(REDIS_URL=redis_server.url, STALL_SECONDS=1)
    with silent_clients(pod, ["THIN"], RECEIVE_BYTES) as (client,):
        count = 15
        for number in range(count):
            redis_server.publish(event("THIN", number, data="x" * 10_000))
        read, began = b"", time.monotonic()
        while read.count(b'x"}\n\n') < count:
            read += client.recv(8 * KIB)
            # The time that a thin line takes; it takes twice the stall time in all.
            await asyncio.sleep(0.08)
        assert time.monotonic() - began > 2
        assert pod.metric(SLOW) == 0
        assert pod.status("/admin/client/THIN") == 200
        assert [int(number) for number in re.findall(rb"\nid: evt-(\d+)\n", read)] == list(range(count))
