"""What Redis' clock says, by this process' own; pure."""

from __future__ import annotations

from collections import deque

# About a minute of them: clocks drift apart by less than a millisecond in that time.
READINGS_KEPT = 12


class RedisClock:
    """Knows by how much Redis' clock is ahead, from the reading that took the least time."""

    def __init__(self) -> None:
        # In seconds, of the monotonic clock; 0 while there was no reading.
        self.ahead = 0.0
        # How long each took, and what it said.
        self._readings: deque[tuple[float, float]] = deque(maxlen=READINGS_KEPT)

    def note(self, said: float, asked: float, answered: float) -> None:
        """Note what Redis said between two moments of the monotonic clock, as Unix time."""
        took, ahead = answered - asked, said - (asked + answered) / 2
        if any(abs(ahead - before) > (took + lasted) / 2 for lasted, before in self._readings):
            # It was set, or is another one's.
            self._readings.clear()
        self._readings.append((took, ahead))
        self.ahead = min(self._readings)[1]
