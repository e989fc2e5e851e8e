"""Which ids were given to clients lately: whoever has none of these is given an id for the first time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class RecentIds:
    """Two sets of ids. New ones go into `newer`; both are asked, and `older` goes when it is old, or `newer` full.

    Ids and not pairs with a client's name: where publishers give one id to many clients, it is only asked for more.
    """

    def __init__(self, seconds: float, capacity: int, now: float) -> None:
        """Know what was noted in the last `seconds`, but not more than the last `capacity` surely."""
        # None is in it from the first, so that events without an id change nothing.
        self.newer: set[str | None] = {None}
        self.older: set[str | None] = set()
        self._seconds = seconds
        self._capacity = capacity
        self._due = now + seconds

    def note(self, event_ids: list[Any], now: float) -> bool:
        """Note the ids of events that were read together, as they stand in them; say whether any may be known.

        That is so where one was noted before, or comes twice. What is no string is no id.
        """
        newer, older = self.newer, self.older
        try:
            if len(event_ids) == 1:
                # So are most reads where events come one by one.
                event_id = event_ids[0]
                known = event_id is not None and (event_id in newer or event_id in older)
                newer.add(event_id)
            else:
                count = len(newer) + len(event_ids)
                newer.update(event_ids)
                # Of most reads each is new, which two steps for all of them show.
                known = len(newer) != count and len(newer) != count - event_ids.count(None)
                known = known or (bool(older) and not older.isdisjoint(event_ids))
        except TypeError:
            # JSON has values that have no hash.
            return self.note([event_id for event_id in event_ids if type(event_id) is str], now)
        if len(newer) > self._capacity:
            self.expire(now)
        return known

    def remember(self, event_ids: Iterable[str]) -> None:
        """Note ids that were given before."""
        self.newer.update(event_ids)

    def expire(self, now: float) -> None:
        """Let go what is too old or too much; call it every second."""
        if len(self.newer) > self._capacity or now >= self._due:
            self.newer, self.older = {None}, self.newer
            self.older.discard(None)
            self._due = now + self._seconds
