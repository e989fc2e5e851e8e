"""What Redis and the pods say became of clients, remembered for a moment: all pods are asked, and pages are many."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from streams.roster.tracing.entries import TraceEntry
from streams.roster.tracing.store import read_transitions
from streams.roster.tracing.trace import MAX_MINUTES, trace
from streams.roster.worker import Roster

# A page is told what its client's trace says so often.
TRACE_SECONDS = 3.0
# Strips of a day hardly change.
STRIP_SECONDS = 20.0
MAX_KEPT = 200

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The last MAX_KEPT answers, each for some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._answers: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """Return an answer that is not too old."""
        at, answer = self._answers.get(key, (0.0, None))
        return answer if time.monotonic() - at < self._seconds else None

    def put(self, key: K, answer: V) -> V:
        """Keep an answer, and return it."""
        self._answers.pop(key, None)
        self._answers[key] = (time.monotonic(), answer)
        if len(self._answers) > MAX_KEPT:
            del self._answers[next(iter(self._answers))]
        return answer

    def clear(self) -> None:
        """Keep nothing."""
        self._answers.clear()


class Timelines:
    """Reads traces through one pod's roster; both methods that read raise what redis-py does."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._traces: Kept[str, list[TraceEntry]] = Kept(TRACE_SECONDS)
        self._transitions: Kept[tuple[str, ...], dict[str, list[TraceEntry]]] = Kept(STRIP_SECONDS)

    def forget(self) -> None:
        """Read anew, for somebody who has just loaded a page."""
        self._traces.clear()

    async def trace(self, name: str) -> list[TraceEntry]:
        """Return a client's trace, oldest first."""
        kept = self._traces.get(name)
        return self._traces.put(name, await trace(self._roster, name, MAX_MINUTES)) if kept is None else kept

    async def transitions(self, names: Sequence[str]) -> dict[str, list[TraceEntry]]:
        """Return when clients came and went, by name, oldest first."""
        key = tuple(names)
        if (kept := self._transitions.get(key)) is not None:
            return kept
        async with self._roster.client() as client:
            return self._transitions.put(key, await read_transitions(client, self._roster.channel, names))
