"""How much is noted of one client, so that none fills the others' room; pure."""

from __future__ import annotations

# So many names have a count of their own in one period.
MAX_NAMES = 50_000


class Limit:
    """Lets through so many a name in each period, and counts what it does not. Moments are monotonic seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self._seconds = seconds
        self._counts: dict[str, int] = {}
        self._until = 0.0

    def takes(self, name: str) -> bool:
        """Count one more of a name; say whether it is to be noted."""
        counts = self._counts
        count = counts[name] = counts.get(name, 0) + 1
        return count <= self.most

    def begin_anew(self, now: float) -> list[tuple[str, int]]:
        """Begin a new period where this one is over; return the names of which something was left out, and how much."""
        if now < self._until and len(self._counts) < MAX_NAMES:
            return []
        left_out = [(name, count - self.most) for name, count in self._counts.items() if count > self.most]
        self._counts = {}
        self._until = now + self._seconds
        return left_out
