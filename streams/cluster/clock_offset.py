"""How far apart the clocks of two pods are, from how late each of them hears the same pods."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

# The least lag is that of the last one to two of these: clocks drift apart by some
# milliseconds in it. An outage does not end it, as nothing is heard then.
NOTE_SECONDS = 60.0
# The pods heard last are remembered, and fewer of them stated: two pods need only some in common.
PODS_NOTED = 256
PODS_STATED = 8


class Lags:
    """For each pod that this one hears, itself too, the least lag of its messages: heard here, less sent there.

    Each moment is of another clock, and these began anywhere, so one lag says nothing.
    But two pods that hear a third hear the same messages, and the difference of their
    lags is that of their clocks. The least counts, because a busy pod, or a Redis that
    hangs, adds to the lag of a message and never takes from it.
    """

    def __init__(self) -> None:
        # For each pod the least so far, the least of the time before, and when to begin anew;
        # the pod heard last is at the end.
        self._noted: dict[str, tuple[float, float, float]] = {}

    def note(self, pod: str, lag: float, now: float) -> None:
        """Take in the lag of one message."""
        least, before, renew_at = self._noted.pop(pod, (lag, lag, now + NOTE_SECONDS))
        if now >= renew_at:
            least, before, renew_at = lag, least, now + NOTE_SECONDS
        self._noted[pod] = (min(least, lag), before, renew_at)
        if len(self._noted) > PODS_NOTED:
            del self._noted[next(iter(self._noted))]

    def stated(self) -> dict[str, float]:
        """Return the least lags of the pods heard last, for another pod to compare with its own."""
        return {pod: self._least(pod) for pod in islice(reversed(self._noted), PODS_STATED)}

    def offset(self, stated: Mapping[str, float]) -> float | None:
        """Return this pod's clock less that of the pod whose lags these are; None if they hear no pod in common.

        It is the median: a pod that either of them has heard only once, and late, does not count.
        """
        offsets = sorted(self._least(pod) - lag for pod, lag in stated.items() if pod in self._noted)
        if not offsets:
            return None
        return (offsets[len(offsets) // 2] + offsets[(len(offsets) - 1) // 2]) / 2

    def _least(self, pod: str) -> float:
        least, before, _ = self._noted[pod]
        return min(least, before)
