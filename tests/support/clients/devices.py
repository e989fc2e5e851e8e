"""Devices that come back by themselves, with the id of the last event that they read; and their publisher."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import redis

from tests.support.event_stream import ServerSentEvent
from tests.support.http import EventStream, open_response
from tests.support.redis_server import CHANNEL, JOURNAL
from tests.support.threads import in_thread
from tests.support.waiting import eventually

BATCH_SECONDS = 0.02
# Times in the stream are cut to milliseconds.
ROUNDING_SECONDS = 0.002


def gap_covers(gap: dict[str, Any], earliest: float, latest: float) -> bool:
    """Say whether a stream-gap names a moment, known to be between two Unix times."""
    began = float("-inf") if gap["from"] is None else datetime.fromisoformat(gap["from"]).timestamp()
    ended = datetime.fromisoformat(gap["to"]).timestamp()
    return began - ROUNDING_SECONDS <= latest and earliest <= ended + ROUNDING_SECONDS


class Lane:
    """One device: it reads, is cut off, comes back with its id, and remembers all that it was sent."""

    def __init__(self, name: str, port: Callable[[], int]) -> None:
        self.name = name
        self.read: list[str] = []
        self.gaps: list[dict[str, Any]] = []
        self.cuts = 0
        self.connects = 0
        self.first = asyncio.Event()
        self._port = port
        self._stream: EventStream | None = None
        self._task = asyncio.create_task(self._run(), name=name)

    @property
    def doubled(self) -> int:
        return len(self.read) - len(set(self.read))

    def cut(self) -> bool:
        """Cut the connection, in one of the ways that connections end; return whether there was one."""
        stream, self._stream = self._stream, None
        if stream is None:
            return False
        self.cuts += 1
        stream.reset()
        return True

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        last_event_id = ""
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            try:
                stream = await open_response(self._port(), self.name, headers=headers)
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(random.uniform(0.02, 0.1))
                continue
            self.connects += 1
            self._stream = stream
            try:
                while (event := await stream.next(60)) is not None:
                    self._take(event)
                    # As in a browser, it outlives the connection on which it came.
                    last_event_id = event.last_event_id or last_event_id
            finally:
                self._stream = None
                await stream.close()
            await asyncio.sleep(random.uniform(0, 0.05))

    def _take(self, event: ServerSentEvent) -> None:
        if event.type == "stream-gap":
            self.gaps.append(event.json())
        elif event.type == "message" and event.last_event_id and event.json().get("eventId") == event.last_event_id:
            self.read.append(event.last_event_id)
            self.first.set()


@dataclass(slots=True)
class Published:
    """One event that Redis took: when, between two Unix times."""

    event_id: str
    earliest: float
    latest: float


@dataclass(slots=True)
class Source:
    """Publishes numbered events for many names at a steady rate, whatever becomes of Redis, and notes what it took."""

    url: str
    names: Sequence[str]
    events_per_second: float
    durable: bool
    taken: dict[str, list[Published]] = field(init=False)
    refused: int = 0
    _number: int = 0

    def __post_init__(self) -> None:
        self.taken = {name: [] for name in self.names}

    @property
    def count(self) -> int:
        return sum(map(len, self.taken.values()))

    def publish(self, client: redis.Redis, count: int) -> None:
        """Publish so many events at once, for one name after the other."""
        events = []
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(count):
                name, event_id = self.names[self._number % len(self.names)], f"evt-{self._number:08d}"
                self._number += 1
                message = json.dumps({"clientName": name, "eventId": event_id, "data": {"amount": 9.99}})
                if self.durable:
                    pipeline.xadd(JOURNAL, {"event": message}, maxlen=100_000, approximate=True)
                else:
                    pipeline.publish(CHANNEL, message)
                events.append((name, event_id))
            earliest = time.time()
            try:
                answers = pipeline.execute(raise_on_error=False)
            except (redis.RedisError, OSError):
                # Some of them may have been taken; nobody was told so.
                self.refused += len(events)
                return
            latest = time.time()
        for (name, event_id), answer in zip(events, answers, strict=True):
            if isinstance(answer, Exception):
                self.refused += 1
            else:
                self.taken[name].append(Published(event_id, earliest, latest))

    def running(self) -> contextlib.AbstractContextManager[None]:
        """Publish in a thread of its own."""
        return in_thread(self._run, "source")

    def once(self) -> None:
        """Publish one event for each name."""
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            self.publish(client, len(self.names))

    def _run(self, over: threading.Event) -> None:
        client = redis.Redis.from_url(self.url, socket_timeout=1, retry=None)
        began, batches = time.monotonic(), 0
        while True:
            batches += 1
            if over.wait(max(0.0, began + batches * BATCH_SECONDS - time.monotonic())):
                break
            self.publish(client, max(1, round(self.events_per_second * BATCH_SECONDS)))
        client.close()


@dataclass(slots=True)
class Outcome:
    """What became of the events of all lanes."""

    published: int
    lost: int
    unnamed: int
    doubled: int
    disordered: int
    gaps: Counter[str]


def outcome(source: Source, lanes: Sequence[Lane]) -> Outcome:
    """Compare what Redis took with what each lane read; a loss that no gap names is unnamed."""
    found = Outcome(source.count, 0, 0, 0, 0, Counter())
    for lane in lanes:
        read = list(dict.fromkeys(lane.read))
        found.doubled += lane.doubled
        found.disordered += read != sorted(read)
        found.gaps.update(gap["reason"] for gap in lane.gaps)
        missing = [event for event in source.taken[lane.name] if event.event_id not in set(read)]
        found.lost += len(missing)
        for event in missing:
            found.unnamed += not any(gap_covers(gap, event.earliest, event.latest) for gap in lane.gaps)
    return found


async def all_read_last(source: Source, lanes: Sequence[Lane], timeout: float) -> None:
    """Publish a last event for every name, and wait until each lane has read it."""
    await asyncio.to_thread(source.once)
    last = {name: events[-1].event_id for name, events in source.taken.items()}
    await eventually(
        "every lane to read its last event",
        lambda: all(last[lane.name] in lane.read[-200:] for lane in lanes),
        timeout,
    )
