"""Connections on which no request is under way: bounded in time and in number, so that the next one finds room."""

from __future__ import annotations

from itertools import islice
from typing import Generic, Protocol, TypeVar

# Each costs some KiB for as long as it may wait.
MAX_IDLE = 4096
# How many are asked whether a request has come, before one is closed all the same.
LOOKS = 64


class Reader(Protocol):
    """One client's connection, as far as it matters here."""

    def cut(self) -> None:
        """Close it now, and give its descriptor back."""

    def has_unread(self) -> bool:
        """Say whether something has come that was not read yet."""


R = TypeVar("R", bound=Reader)


class Idle(Generic[R]):
    """Those connections, and until when each may stay so; who has waited longest is first.

    `most_open` is how many connections there may be of all kinds, streams among them.
    """

    def __init__(self, most_open: float, most_idle: int = MAX_IDLE) -> None:
        self.closed_early = 0
        self._most_open = most_open
        self._most_idle = most_idle
        self._open = 0
        self._deadlines: dict[R, float] = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    def opened(self) -> None:
        """Count a connection that opens; where there are too many, close the one that has waited longest.

        Hundreds may open in one turn of the loop, behind one whose request is not read before the next.
        """
        self._open += 1
        if self._open > self._most_open or len(self._deadlines) > self._most_idle:
            oldest = next(iter(self._deadlines), None)
            oldest = next((each for each in islice(self._deadlines, LOOKS) if not each.has_unread()), oldest)
            if oldest is not None:
                del self._deadlines[oldest]
                self.closed_early += 1
                oldest.cut()

    def closed(self) -> None:
        """Count a connection that is closed."""
        self._open -= 1

    def wait(self, reader: R, deadline: float) -> None:
        """Let a connection wait for a request, or for the rest of one, until a moment in monotonic seconds."""
        # Behind those that have waited since before.
        self._deadlines.pop(reader, None)
        self._deadlines[reader] = deadline

    def forget(self, reader: R) -> None:
        """Note that a connection no longer waits, if it did."""
        self._deadlines.pop(reader, None)

    def overdue(self, now: float) -> list[R]:
        """Return the connections that have waited too long."""
        return [reader for reader, deadline in self._deadlines.items() if now >= deadline]
