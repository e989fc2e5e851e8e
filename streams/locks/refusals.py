"""Which lanes `required` refuses, or would refuse, and why; pure."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from streams.auth.decision import Decision
from streams.auth.results import Result

# More than a pod has lanes; who was asked for longest ago makes room.
MAX_LANES = 20_000


class Refusal(msgspec.Struct):
    """How one lane fares at the lock: its last refusal, how many there were, and when it last passed (0: never).

    Moments are Unix time.
    """

    client_name: str
    result: Result
    sentence: str
    count: int
    last_at: float
    passed_at: float = 0

    @property
    def passed(self) -> bool:
        """Say whether the lane has come with the right token since."""
        return self.passed_at >= self.last_at


class Refusals:
    """The lanes of one pod that were refused, or with `observe` let in all the same."""

    def __init__(self, limit: int = MAX_LANES) -> None:
        self._limit = limit
        self._lanes: OrderedDict[str, Refusal] = OrderedDict()
        # Lanes that found no room: others have taken it.
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def note(self, name: str, decision: Decision, now: float) -> None:
        """Note how it was decided about a lane; of one that was never refused nothing is kept."""
        kept = self._lanes.get(name)
        if decision.ok:
            if kept is not None:
                kept.passed_at = now
            return
        if kept is None:
            kept = self._lanes[name] = Refusal(name, decision.result, decision.sentence, 0, now)
            self._make_room()
        kept.result, kept.sentence, kept.last_at = decision.result, decision.sentence, now
        kept.count += 1
        self._lanes.move_to_end(name)

    def _make_room(self) -> None:
        if len(self._lanes) > self._limit:
            self._lanes.popitem(last=False)
            self.forgotten += 1

    def listed(self, *, passed: bool = False) -> list[Refusal]:
        """Return those that would be refused again as they last came, or those that have passed since; newest first."""
        return [each for each in reversed(self._lanes.values()) if each.passed is passed]
