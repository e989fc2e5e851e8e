"""The last minutes of a pod: its counters, read once a second into a ring."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import NamedTuple

from streams.errors import CloseReason
from streams.pod import Pod

# Five minutes: long enough to see a disturbance begin and end.
SAMPLES_KEPT = 300


class Sample(NamedTuple):
    """What the pod did in one second, and what it held at its end."""

    connections: int
    received_per_second: float
    delivered_per_second: float
    backlog_bytes: int


class Totals(NamedTuple):
    """The counters at one moment."""

    at: float
    received: int
    delivered: int
    skipped: int
    closed: Counter[CloseReason]


class Sampler:
    """Turns a pod's counters into the samples of the last minutes."""

    def __init__(self, pod: Pod) -> None:
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)
        self._pod = pod
        self._totals: deque[Totals] = deque(maxlen=SAMPLES_KEPT + 1)

    def take(self) -> None:
        """Take one sample; call it once a second."""
        now = self._read()
        if self._totals:
            before = self._totals[-1]
            # The loop may have been late, and what it then finds belongs to a longer second.
            seconds = max(now.at - before.at, 0.001)
            registry = self._pod.registry
            self.samples.append(
                Sample(
                    len(registry),
                    (now.received - before.received) / seconds,
                    (now.delivered - before.delivered) / seconds,
                    registry.outbox.backlog_bytes(),
                )
            )
        self._totals.append(now)

    def closed_lately(self) -> Counter[CloseReason]:
        """Count the connections that ended in the last minutes, by close reason."""
        before = self._totals[0].closed if self._totals else Counter[CloseReason]()
        return self._pod.registry.turnover.closed - before

    def skipped_lately(self) -> int:
        """Count the messages of the last minutes that no client could be sent."""
        return self._pod.router.complaints.skipped - (self._totals[0].skipped if self._totals else 0)

    def _read(self) -> Totals:
        router, turnover = self._pod.router, self._pod.registry.turnover
        skipped, closed = router.complaints.skipped, Counter(turnover.closed)
        return Totals(time.monotonic(), router.received, router.delivered, skipped, closed)
