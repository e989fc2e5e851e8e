"""Lanes that read, move between pods with the id of their last event, and note all that they were sent."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import datetime

from tests.chaos.cluster import PODS, Cluster
from tests.chaos.verdict import Ending, LaneRecord, Reading, Told, Visit
from tests.support.event_stream import ServerSentEvent
from tests.support.http import EventStream, open_response

# A pod that does not greet within this time is left for another.
GREETING_SECONDS = 4.0
# Longer than two heartbeats: a stream that says nothing for so long is dead.
SILENCE_SECONDS = 70.0
RETRY_SECONDS = (0.02, 0.2)
FAREWELLS = ("evicted", "draining", "overloaded", "unauthorized")


class Lane:
    """One device, on one pod at a time, drawn at random unless it is told where to go."""

    def __init__(self, name: str, cluster: Cluster, draw: random.Random) -> None:
        self.record = LaneRecord(name)
        self.read: set[str] = set()
        self._cluster = cluster
        self._draw = draw
        self._last_event_id = ""
        self._stream: EventStream | None = None
        self._left: Ending | None = None
        self._next: int | None = None
        self._away_seconds = 0.0
        self._task = asyncio.create_task(self._live(), name=name)

    @property
    def connected(self) -> bool:
        """Say whether it has a stream that has greeted it."""
        return self._stream is not None

    def cut(self, away_seconds: float) -> None:
        """Reset the connection; come back after so long, to any pod."""
        if self._stream is not None:
            self._left, self._away_seconds = Ending.CUT, away_seconds
            self._stream.reset()

    async def move(self, away_seconds: float) -> None:
        """Close the connection in order, and go to another pod after so long."""
        if self._stream is not None:
            self._left, self._away_seconds = Ending.MOVED, away_seconds
            self._next = self._draw.choice([pod for pod in range(PODS) if pod != self.record.visits[-1].pod])
            await self._stream.close()

    async def stop(self) -> None:
        """End it; raise what it died of, if it did."""
        self._task.cancel()
        (ended,) = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended

    async def _live(self) -> None:
        while True:
            pod, self._next = self._draw.randrange(PODS) if self._next is None else self._next, None
            self._left, self._away_seconds = None, self._draw.uniform(*RETRY_SECONDS)
            visit = Visit(pod, time.time(), self._last_event_id)
            self.record.visits.append(visit)
            life = self._cluster.life(pod)
            try:
                visit.ending = await self._visit(visit)
            except TimeoutError:
                visit.ending = Ending.UNGREETED if visit.greeted is None else Ending.BROKEN
            except (OSError, EOFError):
                visit.ending = Ending.REFUSED
            if visit.ending is Ending.BROKEN and self._cluster.life(pod) != life:
                visit.ending = Ending.KILLED
            visit.ended = time.time()
            await asyncio.sleep(self._away_seconds)

    async def _visit(self, visit: Visit) -> Ending:
        headers = {"Last-Event-ID": self._last_event_id} if self._last_event_id else {}
        stream: EventStream | None = None
        ending = Ending.BROKEN
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                stream = await open_response(self._cluster.port(visit.pod), self.record.name, headers=headers)
                event = await stream.next()
            while event is not None:
                if event.type in FAREWELLS:
                    ending = Ending.SENT_AWAY
                elif visit.greeted is None:
                    # The greeting is the first frame, or there is none.
                    visit.greeted, self._stream = time.time(), stream
                else:
                    self._take(event)
                event = await stream.next(SILENCE_SECONDS)
        finally:
            self._stream = None
            if stream is not None:
                await stream.close()
        return self._left or ending

    def _take(self, event: ServerSentEvent) -> None:
        visit = len(self.record.visits) - 1
        # As in a browser, it outlives the connection on which it came.
        self._last_event_id = event.last_event_id or self._last_event_id
        if event.type == "stream-gap":
            self.record.gaps.append(_told(event, visit))
        elif event.type == "message":
            message = event.json()
            self.record.readings.append(Reading(message["eventId"], time.time(), visit))
            self.read.add(message["eventId"])
            if message["clientName"] != self.record.name:
                self.record.misdelivered.append(message["eventId"])


def _told(event: ServerSentEvent, visit: int) -> Told:
    gap = event.json()
    began = None if gap["from"] is None else datetime.fromisoformat(gap["from"]).timestamp()
    return Told(began, datetime.fromisoformat(gap["to"]).timestamp(), gap["reason"], time.time(), visit)
