"""How a pod feels: the delay from publishing to writing, the event loop's lag, the collector's pauses, the clock."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from bisect import bisect_left
from collections import deque
from typing import Any

from streams.wire.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger("sse.server")

# Upper bounds in seconds, Prometheus's `le`.
DELAY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_SECONDS = 0.25
# What a clock is corrected by in passing is less.
CLOCK_STEP_SECONDS = 1.0
# As many as a rate looks back: a quarter of a minute, where a pod beats every five seconds.
READINGS_KEPT = 4


class Rate:
    """How fast a counter rises, over its last READINGS_KEPT readings."""

    def __init__(self, at: float, count: int = 0) -> None:
        self._readings: deque[tuple[float, int]] = deque([(at, count)], READINGS_KEPT)

    def read(self, at: float, count: int) -> float:
        """Return by how much the counter rose a second; `at` is monotonic seconds."""
        began, counted = self._readings[0]
        self._readings.append((at, count))
        return (count - counted) / (at - began) if at > began else 0.0


class DelayHistogram:
    """Counts delays by size; plain integers, which a scrape reads."""

    def __init__(self) -> None:
        self.counts = [0] * (len(DELAY_BOUNDS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one delay; a publisher's clock that is ahead of this one makes it 0."""
        self.counts[bisect_left(DELAY_BOUNDS, seconds)] += 1
        if seconds > 0.0:
            self.sum_seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulative counts by upper bound, as Prometheus wants them."""
        total, found = 0, []
        for bound, count in zip((*map(str, DELAY_BOUNDS), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Vitals:
    """Watches the event loop and the garbage collector of this process, and the clock of its machine."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.loop_lag_seconds = 0.0
        self._longest_lag = 0.0
        self.gc_pause_seconds = 0.0
        self.clock_steps = 0
        self._gc_started = 0.0
        self._clock = clock
        self._wall_ahead = clock.wall() - clock.monotonic()

    async def run(self) -> None:
        """Measure how late the loop wakes a sleeper, until cancelled."""
        gc.callbacks.append(self._on_gc)
        try:
            while True:
                due = time.monotonic() + LAG_SECONDS
                await asyncio.sleep(LAG_SECONDS)
                self.note_lag(max(0.0, time.monotonic() - due))
                self.look_at_clock()
        finally:
            gc.callbacks.remove(self._on_gc)

    def note_lag(self, seconds: float) -> None:
        """Note how late a sleeper woke."""
        self.loop_lag_seconds = seconds
        self._longest_lag = max(self._longest_lag, seconds)

    def take_longest_lag(self) -> float:
        """Return the longest lag since the last call, in seconds."""
        longest, self._longest_lag = self._longest_lag, 0.0
        return longest

    def look_at_clock(self) -> None:
        """Say when the machine's clock was set: deadlines and times in answers are read by it, and no duration is."""
        ahead = self._clock.wall() - self._clock.monotonic()
        step, self._wall_ahead = ahead - self._wall_ahead, ahead
        if abs(step) >= CLOCK_STEP_SECONDS:
            self.clock_steps += 1
            logger.warning(
                "This machine's clock was set %s by %.0f s, or it slept; deadlines of events are read by that clock.",
                "forward" if step > 0 else "back",
                abs(step),
            )

    def _on_gc(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._gc_started = time.perf_counter()
        else:
            self.gc_pause_seconds += time.perf_counter() - self._gc_started
