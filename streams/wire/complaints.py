"""What publishers do wrong: counted by kind, and each kind written to the log once a second at most."""

from __future__ import annotations

import logging
from collections import Counter
from enum import StrEnum
from typing import NamedTuple

from streams.wire.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger("sse.sse")

LOG_SECONDS = 1.0
SHOWN_BYTES = 80


class Fault(StrEnum):
    """What is wrong with a message; `sentence` says how many there were and what became of them."""

    sentence: str

    UNUSABLE = "unusable", "Skipped %d unusable message(s)"
    MISNAMED = "misnamed", "Skipped %d event(s) for a name that no client can have"
    NO_DEADLINE = "no-deadline", "Took %d event(s) without their deadline, which cannot be read"
    REUSED_ID = "reused-id", "Delivered %d event(s) with an eventId that another event of the same client has"

    def __new__(cls, word: str, sentence: str = "") -> Fault:
        fault = str.__new__(cls, word)
        fault._value_ = word
        fault.sentence = sentence
        return fault


class Latest(NamedTuple):
    """How the latest message of a kind begins, and what is wrong with it."""

    beginning: bytes
    reason: str


class Complaints:
    """Counts every bad message. A publisher gone wrong must not fill a disk, so the latest stands for many.

    Whoever owns it calls write_due() every second: a burst ends with its count in the log.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.counts: Counter[Fault] = Counter()
        self._clock = clock
        self._logged: Counter[Fault] = Counter()
        self._latest: dict[Fault, Latest] = {}
        self._due: dict[Fault, float] = {}

    @property
    def skipped(self) -> int:
        """Return how many messages no client could be sent."""
        return self.counts[Fault.UNUSABLE] + self.counts[Fault.MISNAMED]

    def note(self, fault: Fault, message: bytes, reason: object) -> None:
        """Count a message, and write a line where none was written for a second."""
        self.counts[fault] += 1
        self._latest[fault] = Latest(message[:SHOWN_BYTES], str(reason))
        self._write(fault)

    def write_due(self) -> None:
        """Write what was counted since the last line of its kind."""
        for fault in list(self._latest):
            self._write(fault)

    def _write(self, fault: Fault) -> None:
        now = self._clock.monotonic()
        if now < self._due.get(fault, now):
            return
        self._due[fault] = now + LOG_SECONDS
        latest = self._latest.pop(fault)
        number, self._logged[fault] = self.counts[fault] - self._logged[fault], self.counts[fault]
        text = f"{fault.sentence}; the latest begins %r: %s"
        logger.warning(text, number, latest.beginning, latest.reason)
