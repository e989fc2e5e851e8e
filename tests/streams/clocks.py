"""A clock for the pure rooms that only the test turns."""

from __future__ import annotations

from streams.wire.clock import Clock

STARTED = 1000.0
# The wall clock's lead on the monotonic one.
WALL_AHEAD = 1_700_000_000.0


class HandClock:
    """Both clocks of a pod, standing still until they are turned."""

    def __init__(self, now: float = STARTED) -> None:
        self.now = now
        self.wall_ahead = WALL_AHEAD
        self.clock = Clock(wall=lambda: self.now + self.wall_ahead, monotonic=lambda: self.now)

    def turn(self, seconds: float) -> float:
        """Let seconds pass; return the monotonic time then."""
        self.now += seconds
        return self.now

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back by a negative number, as an operator does."""
        self.wall_ahead += seconds
