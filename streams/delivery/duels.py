"""Names that two devices share: both reconnect by themselves, and would evict each other for ever."""

from __future__ import annotations

import time
from collections import deque

# Evictions of one name are counted over this time.
DUEL_SECONDS = 60.0


class Duels:
    """Remembers who was evicted lately, and says when a name was evicted too often."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._evictions: dict[str, deque[float]] = {}

    def note_eviction(self, name: str) -> None:
        """Count one more eviction of a name."""
        self._evictions.setdefault(name, deque(maxlen=self._limit)).append(time.monotonic())

    def dueling(self, name: str) -> bool:
        """Say whether one more eviction of a name would be over the limit of a minute."""
        evictions = self._evictions.get(name)
        if evictions is None or len(evictions) < self._limit:
            return False
        return time.monotonic() - evictions[0] < DUEL_SECONDS

    def forget(self) -> None:
        """Drop what no longer counts; call it every few seconds."""
        horizon = time.monotonic() - DUEL_SECONDS
        for name, evictions in list(self._evictions.items()):
            if evictions[-1] < horizon:
                del self._evictions[name]
