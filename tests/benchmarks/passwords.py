"""Whether wrong passwords slow the lanes: the delay of events before and while strangers guess.

`python -m tests.benchmarks.passwords [--seconds 30] [--guesses 50] [--spread]` starts a pod in
production and prints both. With --spread each guess is for an account of its own and from an
address of its own, so that no count of attempts is reached and each is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.http import HOST, EventStream, open_stream
from tests.support.operators import Operator, make_databases
from tests.support.pods import PRODUCTION, Pod, environment
from tests.support.redis_server import CHANNEL, RedisServer
from tests.support.waiting import eventually

LANES = 50
EVENTS_PER_SECOND = 100
GUESSERS = 16


class Delays(NamedTuple):
    """How long events took from their publication to the device, in milliseconds."""

    events: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Measured(NamedTuple):
    """The delays without and with guesses, and how the guesses were answered."""

    before: Delays
    during: Delays
    statuses: dict[int, int]

    @property
    def ratio(self) -> float:
        return self.during.p99_ms / self.before.p99_ms


def delays_of(seconds: list[float]) -> Delays:
    ordered = sorted(1000 * each for each in seconds)
    last = len(ordered) - 1
    return Delays(len(ordered), ordered[last // 2], ordered[int(last * 0.99)], ordered[last])


def guess(port: int, seconds: float, per_second: int, spread: bool, counted: Any) -> None:
    """Try wrong passwords at an even pace, and put the count of each status into a queue."""
    stranger = Operator()
    token = stranger.token(port)
    began = time.monotonic()

    def attempt(number: int) -> int:
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        name, source = (f"user-{number}", f"127.1.{number // 250}.{number % 250 + 1}") if spread else ("operator", HOST)
        return stranger.send_password(port, token, f"wrong-{number}", name, source).status

    with ThreadPoolExecutor(GUESSERS) as guessers:
        counted.put(Counter(guessers.map(attempt, range(int(seconds * per_second)))))


async def read(stream: EventStream, delays: list[float]) -> None:
    while (event := await stream.next(timeout=3600)) is not None:
        delays.append(time.time() - event.json()["data"])


async def publish(redis_server: RedisServer, seconds: float) -> int:
    """Publish to one lane after the other at an even pace; return how many."""
    began = time.monotonic()
    count = int(seconds * EVENTS_PER_SECOND)
    for number in range(count):
        await asyncio.sleep(began + number / EVENTS_PER_SECOND - time.monotonic())
        message = {"clientName": f"LANE{number % LANES}", "eventId": f"evt-{number}", "data": time.time()}
        redis_server.client.publish(CHANNEL, json.dumps(message))
    return count


async def deliver(redis_server: RedisServer, delays: list[float], seconds: float) -> Delays:
    delays.clear()
    count = await publish(redis_server, seconds)
    await eventually("every event", lambda: len(delays) == count, 30)
    return delays_of(delays)


async def measure(pod: Pod, redis_server: RedisServer, seconds: float, per_second: int, *, spread: bool) -> Measured:
    """Measure without guesses, then with them, for so many seconds each."""
    delays: list[float] = []
    streams = [await open_stream(pod.port, f"LANE{number}") for number in range(LANES)]
    readers = [asyncio.ensure_future(read(stream, delays)) for stream in streams]
    spawning = multiprocessing.get_context("spawn")
    counted = spawning.Queue()
    guesser = spawning.Process(target=guess, args=(pod.port, seconds, per_second, spread, counted))
    try:
        await deliver(redis_server, delays, min(seconds, 2))
        before = await deliver(redis_server, delays, seconds)
        guesser.start()
        during = await deliver(redis_server, delays, seconds)
        statuses = await asyncio.to_thread(counted.get)
    finally:
        for reader in readers:
            reader.cancel()
        for stream in streams:
            await stream.close()
        if guesser.pid is not None:
            guesser.join()
    return Measured(before, during, dict(statuses))


def report(measured: Measured) -> str:
    lines = [f"{'':>16} events      p50      p99      max"]
    for name, delays in (("without guesses", measured.before), ("with guesses", measured.during)):
        figures = "".join(f"{each:6.1f} ms" for each in delays[1:])
        lines.append(f"{name:>16} {delays.events:>6}{figures}")
    answers = ", ".join(f"{count} of {status}" for status, count in sorted(measured.statuses.items()))
    return "\n".join([*lines, f"p99 is {measured.ratio:.2f} times as long. Answers to the guesses: {answers}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--guesses", type=int, default=50, help="a second")
    parser.add_argument("--spread", action="store_true", help="each for another account, from another address")
    options = parser.parse_args()
    redis_server = RedisServer()
    redis_server.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (database,) = make_databases(Path(folder), 1)
        variables = environment(**PRODUCTION, REDIS_URL=redis_server.url, DATABASE_URL=database, DRAIN_SECONDS=0)
        pod = Pod("streamworker", Path(folder) / "pod.log", variables)
        try:
            pod.wait_ready()
            measured = asyncio.run(measure(pod, redis_server, options.seconds, options.guesses, spread=options.spread))
            print(report(measured))
        finally:
            pod.terminate()
            redis_server.stop()


if __name__ == "__main__":
    main()
