"""The verdict on a run: each event that Redis acknowledged was read, or is named as missing, or was lost in silence.

Pure: it compares what publishers and lanes wrote down. All times are Unix times of one machine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate, pairwise

# Times in the stream are cut to milliseconds.
ROUNDING_SECONDS = 0.002
# A loss is named late when its lane had long read what was published after it.
LATE_SECONDS = 5.0


class Ingress(StrEnum):
    """The way by which an event went into Redis."""

    CHANNEL = "pubsub"
    JOURNAL = "journal"
    # The same message by both, as a publisher does that changes from one to the other.
    BOTH = "both"
    # By a pod, into the journal.
    HTTP = "http"


class Ending(StrEnum):
    """How a lane's stream ended."""

    OPEN = "still open"
    MOVED = "moved"
    CUT = "cut"
    KILLED = "pod killed"
    SENT_AWAY = "sent away"
    BROKEN = "ended by the pod"
    UNGREETED = "not greeted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Published:
    """One event that Redis acknowledged, and between which times it took it."""

    event_id: str
    lane: str
    ingress: Ingress
    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class Told:
    """A stream-gap that a lane read; one that began at None names everything up to its end."""

    began: float | None
    ended: float
    reason: str
    at: float
    visit: int

    def covers(self, event: Published) -> bool:
        """Say whether it names a moment at which Redis may have taken the event."""
        since = float("-inf") if self.began is None else self.began - ROUNDING_SECONDS
        return since <= event.latest and event.earliest <= self.ended + ROUNDING_SECONDS


@dataclass(slots=True)
class Visit:
    """One stream of a lane on one pod."""

    pod: int
    opened: float
    last_event_id: str
    greeted: float | None = None
    ended: float | None = None
    ending: Ending = Ending.OPEN


@dataclass(frozen=True, slots=True)
class Reading:
    """An event as a lane read it, and in which of its visits."""

    event_id: str
    at: float
    visit: int


@dataclass(slots=True)
class LaneRecord:
    """All that one lane noted, in the order in which it happened."""

    name: str
    visits: list[Visit] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    gaps: list[Told] = field(default_factory=list)
    # Events that were meant for another client.
    misdelivered: list[str] = field(default_factory=list)

    def by_event(self) -> dict[str, list[Reading]]:
        found: dict[str, list[Reading]] = defaultdict(list)
        for reading in self.readings:
            found[reading.event_id].append(reading)
        return found


@dataclass(slots=True)
class Verdict:
    """What became of the acknowledged events, and how much was read twice."""

    acknowledged: Counter[Ingress] = field(default_factory=Counter)
    read: int = 0
    silent: list[Published] = field(default_factory=list)
    named: int = 0
    # Of those named: only by a gap from the beginning, which names all that ever was.
    vaguely: int = 0
    # Of those named: their lane had read later ones of the same ingress long before it was told.
    late: int = 0
    readings: int = 0
    # Readings of an event that its lane had read before, by what lay between the two.
    doubled: Counter[str] = field(default_factory=Counter)
    misdelivered: int = 0
    # Readings of an event of a back end that tried again, though its lane had read it on the same stream.
    retried: int = 0

    @property
    def doubled_share(self) -> float:
        return self.doubled.total() / self.readings if self.readings else 0.0


def judge(published: Iterable[Published], records: Mapping[str, LaneRecord]) -> Verdict:
    """Compare what Redis acknowledged with what the lane of each event noted."""
    events: dict[str, list[Published]] = {name: [] for name in records}
    for event in published:
        events[event.lane].append(event)
    verdict = Verdict()
    for name, record in records.items():
        _judge_lane(verdict, events[name], record)
    return verdict


def _judge_lane(verdict: Verdict, events: list[Published], record: LaneRecord) -> None:
    readings = record.by_event()
    progress = Progress(events, readings)
    for event in events:
        verdict.acknowledged[event.ingress] += 1
        if event.event_id in readings:
            verdict.read += 1
        elif told := [gap for gap in record.gaps if gap.covers(event)]:
            verdict.named += 1
            verdict.vaguely += all(gap.began is None for gap in told)
            verdict.late += progress.passed(event, min(gap.at for gap in told) - LATE_SECONDS)
        else:
            verdict.silent.append(event)
    ingresses = {event.event_id: event.ingress for event in events}
    for event_id, readings_of_one in readings.items():
        for earlier, later in pairwise(readings_of_one):
            verdict.doubled[_cause(ingresses.get(event_id), earlier, later, record)] += 1
            verdict.retried += earlier.visit == later.visit and ingresses.get(event_id) is Ingress.HTTP
    verdict.readings += len(record.readings)
    verdict.misdelivered += len(record.misdelivered)


def _cause(ingress: Ingress | None, earlier: Reading, later: Reading, record: LaneRecord) -> str:
    if earlier.visit == later.visit:
        return "same id by both ingresses" if ingress is Ingress.BOTH else "in one stream"
    return f"after: {record.visits[later.visit - 1].ending}"


class Progress:
    """How far a lane had read each ingress at any time."""

    def __init__(self, events: list[Published], readings: Mapping[str, list[Reading]]) -> None:
        read: dict[Ingress, list[tuple[float, float]]] = defaultdict(list)
        for event in events:
            if event.event_id in readings:
                read[event.ingress].append((readings[event.event_id][0].at, event.earliest))
        self._times: dict[Ingress, list[float]] = {}
        self._newest: dict[Ingress, list[float]] = {}
        for ingress, pairs in read.items():
            pairs.sort()
            self._times[ingress] = [at for at, _earliest in pairs]
            self._newest[ingress] = list(accumulate((earliest for _at, earliest in pairs), max))

    def passed(self, event: Published, before: float) -> bool:
        """Say whether something published after the event, by its ingress, was read before a time."""
        count = bisect_left(self._times.get(event.ingress, []), before)
        return count > 0 and self._newest[event.ingress][count - 1] > event.latest
