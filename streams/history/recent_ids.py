"""Which ids were given to clients lately: whoever has none of these is given an id for the first time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Any

NONE: frozenset[str] = frozenset()


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

    def note(self, event_ids: list[Any], now: float) -> Set[str]:
        """Note the ids of events that were read together, as they stand in them; return those that were known or
        come twice.

        What is no string is no id.
        """
        newer, older = self.newer, self.older
        known: Set[str] = NONE
        try:
            # Of most reads none is known, which a step for all of them shows.
            if not newer.isdisjoint(event_ids) or (older and not older.isdisjoint(event_ids)):
                known = {event_id for event_id in strings(event_ids) if event_id in newer or event_id in older}
            count = len(newer) + len(event_ids)
            newer.update(event_ids)
        except TypeError:
            # JSON has values that have no hash.
            return self.note(strings(event_ids), now)
        if len(newer) != count or None in newer:
            newer.discard(None)
            known = known | twice(strings(event_ids))
        if len(newer) > self._capacity:
            self.expire(now)
        return known

    def expire(self, now: float) -> None:
        """Let go what is too old or too much; call it every second."""
        if len(self.newer) > self._capacity or now >= self._due:
            self.newer, self.older = set(), self.newer
            self._due = now + self._seconds


def strings(values: list[Any]) -> list[str]:
    """Return those that are strings."""
    return [value for value in values if type(value) is str]


def twice(event_ids: list[str]) -> set[str]:
    """Return those that come more than once."""
    return {event_id for event_id, times in Counter(event_ids).items() if times > 1}
