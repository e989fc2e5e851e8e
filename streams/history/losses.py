"""When Redis itself lost what it had taken, or another one was the primary: what pods that were not there are told.

A pod that was there finds it out by itself. One that starts later sees a journal and a subscription without
a fault, and would take clients for complete that are not.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.history.coverage import Ingress, Intervals
from streams.wire.pods import Losses

# Two pods find the same loss, and each knows when the other stated it to within a statement.
SAME_SECONDS = 2.5
MAX_STATED = 4


class Loss(NamedTuple):
    """A time in which something may have been lost; monotonic seconds of this process."""

    ingress: Ingress
    since: float
    until: float

    def before(self, moment: float) -> Loss:
        """Return the part of it before a moment, or all where it began behind it."""
        return self._replace(until=min(self.until, moment)) if self.since < moment else self


class RedisLosses:
    """The losses of the last `seconds`: those that this pod found by itself, and all that it knows of."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found = (Intervals(), Intervals())
        self._known = (Intervals(), Intervals())

    def found(self, loss: Loss) -> None:
        """Note a loss that this pod found at its end, and states."""
        self._found[loss.ingress].forget(loss.until - self._seconds)
        self._found[loss.ingress].note(loss.since, loss.until)
        self.know(loss)

    def know(self, loss: Loss) -> None:
        """Note a loss that others state, or have marked."""
        # Saying it again would make it longer each time: nobody knows to the millisecond how old it was.
        self._known[loss.ingress].forget(loss.until - self._seconds)
        self._known[loss.ingress].note(loss.since, loss.until)

    def ages(self, now: float) -> Losses:
        """Return what is to be said to other pods."""
        channel, journal = (found.ended_after(now - self._seconds)[-MAX_STATED:] for found in self._found)
        return [(now - since, now - until) for since, until in channel], [
            (now - since, now - until) for since, until in journal
        ]

    def take(self, stated: Losses, made: float, now: float, away: tuple[float, float]) -> list[Loss]:
        """Note what another pod stated; return what it found while this one was not there, and is new to it.

        The statement was made between `made` and `now`; this pod was `away` from one moment to another.
        """
        losses = [
            Loss(ingress, made - since, now - until)
            for ingress, ages in zip(Ingress, stated, strict=True)
            for since, until in ages
        ]
        away_since, served_since = away
        missed = [loss for loss in losses if loss.since < served_since and loss.until > away_since]
        new = [loss for loss in missed if not self._knows(loss, served_since)]
        for loss in new:
            self.know(loss)
        return new

    def _knows(self, loss: Loss, served_since: float) -> bool:
        end = min(loss.until, served_since) - SAME_SECONDS
        known = self._known[loss.ingress].ended_after(end)
        return any(since <= loss.since + SAME_SECONDS for since, _until in known)
