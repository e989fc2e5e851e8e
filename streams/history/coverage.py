"""What this pod surely heard of each ingress, told in intervals: *what may be missing after my mark?*

A client that is connected and one that comes back ask the same question. All moments are
seconds on one clock that never goes back, the caller's; this module reads none.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from math import inf
from typing import NamedTuple


class Ingress(IntEnum):
    """The two ways by which events reach a pod; each has an order and a position of its own."""

    CHANNEL = 0
    JOURNAL = 1

    @property
    def other(self) -> Ingress:
        return Ingress.JOURNAL if self is Ingress.CHANNEL else Ingress.CHANNEL


# For each read of events: as Ingress.CHANNEL it is found by ten times as many instructions.
CHANNEL = Ingress.CHANNEL


class GapReason(StrEnum):
    """Why events may be missing; the same words in the stream, logs and metrics.

    `sentence` says for a person what happened.
    """

    sentence: str

    UNKNOWN_ID = "unknown-id", "No event can have the id that the client sent."
    EXPIRED = "expired", "The id is not among the events that the pod remembers."
    POD_STARTED = "pod-started", "The same, and the pod started since: it does not know what was published before."
    REDIS_OUTAGE = "redis-outage", "In that time the pod did not hear Redis, or Redis lost what it had."

    def __new__(cls, word: str, sentence: str = "") -> GapReason:
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.sentence = sentence
        return reason


class Gap(NamedTuple):
    """A time from which events may be missing; None where nobody knows when it began."""

    reason: GapReason
    began: float | None
    ended: float


class Intervals:
    """Times apart from each other, in order: (since, until)."""

    def __init__(self) -> None:
        self._all: list[tuple[float, float]] = []

    def note(self, since: float, until: float) -> None:
        behind: list[tuple[float, float]] = []
        while self._all and self._all[-1][1] >= since:
            last = self._all.pop()
            if last[0] > until:
                behind.append(last)
            else:
                since, until = min(since, last[0]), max(until, last[1])
        self._all += [(since, until), *reversed(behind)]

    def ended_after(self, moment: float) -> list[tuple[float, float]]:
        return [interval for interval in self._all if interval[1] > moment]

    def around(self, moment: float) -> tuple[float, float]:
        """Return the interval that a moment is in; that moment alone where it is in none."""
        return next(((since, until) for since, until in self._all if since <= moment <= until), (moment, moment))

    @property
    def ended_at(self) -> float:
        """Return the end of the last one, -inf where there is none."""
        return self._all[-1][1] if self._all else -inf

    def last_end(self, moment: float) -> float:
        """Return the last end before a moment, -inf where there is none."""
        return next((until for _since, until in reversed(self._all) if until < moment), -inf)

    def forget(self, horizon: float) -> bool:
        """Drop those that ended before a moment; say whether there were any."""
        before, self._all = len(self._all), self.ended_after(horizon)
        return len(self._all) < before


class Coverage:
    """One ingress: heard from a moment on, but for the intervals that were missed."""

    def __init__(self, heard_since: float) -> None:
        self.heard_since = heard_since
        # Whether nothing was ever published before that, as far as Redis knows.
        self.from_the_first = False
        self._missed = Intervals()

    def miss(self, since: float, until: float) -> None:
        """Note that what was published from `since` to `until` may not have been heard."""
        self._missed.note(since, until)

    def missing_after(self, mark: float) -> Gap | None:
        """Return the time in which something may be missing for whoever has all up to `mark`, or None."""
        gap = self.missed_after(mark)
        if mark >= self.heard_since:
            return gap
        return merged(Gap(GapReason.POD_STARTED, mark, self.heard_since), gap)

    def missed_after(self, mark: float) -> Gap | None:
        """Return the same of what was published while this pod was there."""
        missed = self._missed.ended_after(mark)
        return Gap(GapReason.REDIS_OUTAGE, max(mark, missed[0][0]), missed[-1][1]) if missed else None

    def whole_since(self, moment: float) -> float:
        """Return since when all up to a moment was heard: that moment itself where it is in a time that was missed.

        Before `heard_since` there may have been a journal that was deleted, even where this one is whole.
        """
        since, _until = self._missed.around(moment)
        return moment if since < moment else max(self.heard_since, self._missed.last_end(moment))

    @property
    def missed_until(self) -> float:
        """Return the end of the last interval that was missed, -inf where there is none."""
        return self._missed.ended_at

    def forget(self, horizon: float) -> bool:
        """Drop the intervals that ended before a moment; say whether there were any."""
        return self._missed.forget(horizon)


def merged(*gaps: Gap | None) -> Gap | None:
    """Return one gap that holds all the given ones; its reason is that of the one that ended last."""
    found = [gap for gap in gaps if gap is not None]
    if not found:
        return None
    last = max(found, key=lambda gap: gap.ended)
    began = None if any(gap.began is None for gap in found) else min(gap.began or 0.0 for gap in found)
    return Gap(last.reason, began, last.ended)
