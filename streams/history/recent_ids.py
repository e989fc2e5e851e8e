"""Which ids were given to clients lately: whoever has none of these is given an id for the first time."""

from __future__ import annotations


class RecentIds:
    """Two sets of ids. New ones go into `newer`; both are asked, and `older` goes when it is old, or `newer` full.

    Ids and not pairs with a client's name: where publishers give one id to many clients, it is only asked for more.
    """

    def __init__(self, seconds: float, capacity: int, now: float) -> None:
        """Know what was noted in the last `seconds`, but not more than the last `capacity` surely."""
        self.newer: set[str] = set()
        self.older: set[str] = set()
        self._seconds = seconds
        self._capacity = capacity
        self._due = now + seconds

    def expire(self, now: float) -> None:
        """Let go what is too old or too much; call it every second and after each batch that was noted."""
        if len(self.newer) > self._capacity or now >= self._due:
            self.newer, self.older = set(), self.newer
            self._due = now + self._seconds
