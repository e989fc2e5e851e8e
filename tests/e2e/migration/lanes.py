"""Devices that come to have tokens: each presents the one it has, renews it, and notes each moment without a stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

from tests.support.clients.devices import Lane
from tests.support.http import EventStream, exchange, open_response, parse_answer, request_bytes
from tests.support.waiting import eventually

# A lane that is away for as long as it is told to be has a token that is good when it comes back.
TOKEN_SECONDS, WARN_SECONDS = 14, 9
# What a browser waits where no `retry:` told it anything else.
RETRY_MS = 3_000


class Absence(NamedTuple):
    """A while without a stream: how it began, for how long, and how much of that the lane was told to wait."""

    reason: str
    seconds: float
    told_seconds: float


class TokenLane(Lane):
    """A lane that waits as it is told before it comes back, as an EventSource does."""

    def __init__(self, name: str, port: Callable[[], int], issue: Callable[[str], str]) -> None:
        self.token = ""
        # What it was answered, what it read in place of a stream, and how its streams ended.
        self.statuses: list[int] = []
        self.refusals: list[str] = []
        self.ends: list[str] = []
        self.absences: list[Absence] = []
        self.warned = 0
        self.last_event_id = ""
        self._issue, self._renew_at = issue, inf
        self._told_seconds = 0.0
        super().__init__(name, port)

    @property
    def absent(self) -> bool:
        return self._stream is None

    @property
    def failed(self) -> bool:
        return self._task.done()

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})

    def take_token(self) -> None:
        """Get a token from the login server, or another one."""
        self.token, self._renew_at = self._issue(self.name), time.monotonic() + TOKEN_SECONDS

    async def renew(self) -> int:
        """Get another token, and send it while the stream is open; return the status."""
        self.take_token()
        request = request_bytes("POST", f"/events/{self.name}/token", self.headers | {"Connection": "close"})
        answer = parse_answer(await asyncio.to_thread(exchange, self._port(), request))
        return answer.status

    async def _run(self) -> None:
        left_at, reason = time.monotonic(), "new"
        while True:
            # Nobody warned it while no token was looked at.
            if time.monotonic() >= self._renew_at:
                self.take_token()
            resume = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
            stream = await open_response(self._port(), self.name, headers=self.headers | resume)
            self.connects += 1
            self.statuses.append(stream.status)
            try:
                greeting = await stream.next(60)
                if greeting is not None and greeting.type == "message":
                    self._stream = stream
                    self.absences.append(Absence(reason, time.monotonic() - left_at, self._told_seconds))
                    reason = await self._follow(stream)
                    left_at = time.monotonic()
                elif greeting is not None:
                    self.refusals.append(greeting.type)
            finally:
                self._stream = None
                await stream.close()
            self._told_seconds = (stream.parser.retry_ms or RETRY_MS) / 1000
            await asyncio.sleep(self._told_seconds)

    async def _follow(self, stream: EventStream) -> str:
        """Read to the end; return what ended it."""
        reason = "cut"
        while (event := await stream.next(60)) is not None:
            if event.type == "token-expiring":
                self.warned += 1
                await self.renew()
            elif event.type not in ("message", "stream-gap"):
                reason = event.type
            self._take(event)
            # As in a browser, it outlives the connection on which it came.
            self.last_event_id = event.last_event_id or self.last_event_id
        self.ends.append(reason)
        return reason


async def all_connected(lanes: Sequence[TokenLane]) -> None:
    await eventually("every lane to have a stream", lambda: not any(lane.absent for lane in lanes))


async def all_read_on(lanes: Sequence[TokenLane]) -> None:
    """Wait until each lane has read an event that is published from now on."""
    before = [len(lane.read) for lane in lanes]
    # The first may have been on its way.
    await eventually(
        "every lane to read on",
        lambda: all(len(lane.read) > count + 2 for lane, count in zip(lanes, before, strict=True)),
    )
