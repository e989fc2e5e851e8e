"""How much each caller may publish on this pod: a bucket that fills evenly; pure."""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from typing import NamedTuple

# More than back ends have; who has said nothing for longest begins anew.
MAX_CALLERS = 1024


class Allowance(NamedTuple):
    """What is left of a caller's events, and in how many whole seconds there are more; refused where it had none."""

    refused: bool
    left: int
    seconds: int


class Rates:
    """Buckets of `rate` events, 1 or more, which are filled by as many each second."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, count: int, now: float) -> Allowance:
        """Take `count` events of a caller's at a moment, in monotonic seconds.

        Whoever has one left may publish a whole batch, and waits the longer for the next.
        """
        left, at = self._buckets.pop(caller, (float(self.rate), now))
        left = min(float(self.rate), left + (now - at) * self.rate)
        refused = left < 1
        left -= 0 if refused else count
        self._buckets[caller] = (left, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return Allowance(refused, max(0, int(left)), max(1, ceil((1 - left) / self.rate)))
