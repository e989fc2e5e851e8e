"""What a run found, for people and for scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import zip_longest

from tests.chaos.faults import REDIS, Fault, overlapping
from tests.chaos.running import Outcome
from tests.chaos.verdict import LaneRecord, Published, Reading, Visit

# What may have to do with a loss.
NEARBY_SECONDS = 15.0
# In calm, a lane may be sent so much twice when it moves.
CALM_DOUBLED_SHARE = 0.001


def failures(outcome: Outcome) -> list[str]:
    """Return what must not be, in words; nothing for a good run."""
    verdict, found = outcome.verdict, []
    if verdict.silent:
        found.append(f"{len(verdict.silent):,} acknowledged event(s) lost in silence")
    if verdict.misdelivered:
        found.append(f"{verdict.misdelivered:,} event(s) read by the wrong lane")
    if outcome.stranded:
        found.append(f"{len(outcome.stranded)} lane(s) without their last events: {', '.join(outcome.stranded)}")
    if outcome.disagreeing:
        found.append(f"the roster and the pods do not agree: {'; '.join(outcome.disagreeing[:5])}")
    if verdict.retried:
        found.append(f"{verdict.retried:,} event(s) of back ends that tried again read twice on one stream")
    if outcome.ledger.wrong:
        found.append(f"{len(outcome.ledger.wrong):,} event(s) refused over HTTP: {outcome.ledger.wrong[0]}")
    if outcome.tracebacks:
        found.append(f"{len(outcome.tracebacks)} traceback(s) in the pods' logs")
    if outcome.not_ready:
        found.append("a pod did not become ready again")
    if outcome.plan.calm and verdict.named:
        found.append(f"{verdict.named:,} event(s) missing though nothing was broken")
    if outcome.plan.calm and verdict.doubled_share > CALM_DOUBLED_SHARE:
        found.append(f"{verdict.doubled_share:.2%} of what was read was read twice, more than {CALM_DOUBLED_SHARE:.1%}")
    return found


def table(outcome: Outcome) -> str:
    """Return the figures of a run."""
    verdict, ledger, plan = outcome.verdict, outcome.ledger, outcome.plan
    visits = Counter(str(visit.ending) for record in outcome.records.values() for visit in record.visits)
    gaps = Counter(gap.reason for record in outcome.records.values() for gap in record.gaps)
    title = f"{'Calm' if plan.calm else 'Chaos'}, seed {plan.seed}: {outcome.ended - outcome.began:.0f} s"
    rows = [
        (title, f"{plan.lanes} lanes, {plan.events_per_second:g} events/s each"),
        ("faults", counted(Counter(fault.kind for fault in outcome.faults))),
        ("streams, by their end", counted(visits)),
        ("acknowledged", counted(Counter({str(kind): count for kind, count in verdict.acknowledged.items()}))),
        ("refused, uncertain", f"{ledger.refused:,}, {ledger.uncertain:,}"),
        ("tried again over HTTP", f"{ledger.retries:,} by {plan.back_ends} back ends"),
        ("read", f"{verdict.read:,}"),
        ("named as missing", f"{verdict.named:,} ({verdict.vaguely:,} only from the beginning, {verdict.late:,} late)"),
        ("gaps told", counted(gaps)),
        ("read twice", f"{counted(verdict.doubled)} ({verdict.doubled_share:.2%} of all read)"),
        ("lanes without a stream", str(len(outcome.stranded))),
        ("not as the roster says", str(len(outcome.disagreeing))),
        ("tracebacks", str(len(outcome.tracebacks))),
        ("LOST IN SILENCE", f"{len(verdict.silent):,}"),
        *[(f"  near {kind}", f"{count:,}") for kind, count in causes(outcome).most_common()],
    ]
    width = max(len(name) for name, _value in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def counted(counter: Counter[str]) -> str:
    """Write a total and what it is made of."""
    parts = ", ".join(f"{name} {count:,}" for name, count in counter.most_common())
    return f"{counter.total():,}: {parts}" if parts else "0"


def causes(outcome: Outcome) -> Counter[str]:
    """Count the silent losses by the fault that was nearest to each; a guess, and a place to begin."""
    found: Counter[str] = Counter()
    for event in outcome.verdict.silent:
        nearby = faults_nearby(event, outcome.records[event.lane], outcome.faults)
        found[nearby[0].kind if nearby else "no fault"] += 1
    return found


def faults_nearby(event: Published, record: LaneRecord, faults: list[Fault]) -> list[Fault]:
    """Return the faults around an event, of Redis and of the pods that its lane was on, nearest first."""
    began, ended = event.earliest - NEARBY_SECONDS, event.latest + NEARBY_SECONDS
    targets = {f"pod-{visit.pod + 1}" for visit in _visits(record, began, ended)} | {REDIS}
    there = {f"pod-{visit.pod + 1}" for visit in _visits(record, event.earliest, event.latest)} | {REDIS}

    def distance(fault: Fault) -> tuple[float, bool, float]:
        away = max(0.0, fault.began - event.latest, event.earliest - (fault.ended or ended))
        # Of those at work just then: where the lane was, and what had begun last.
        return away, fault.target not in there, -fault.began

    return sorted((one for one in overlapping(faults, began, ended) if one.target in targets), key=distance)


def chosen(outcome: Outcome, count: int) -> list[Published]:
    """Return some of the silent losses: of lanes and faults that differ, as long as there are such."""
    first: dict[tuple[str, str], Published] = {}
    for event in outcome.verdict.silent:
        nearby = faults_nearby(event, outcome.records[event.lane], outcome.faults)
        first.setdefault((nearby[0].kind if nearby else "", event.lane), event)
    by_fault: dict[str, list[Published]] = {}
    for (kind, _lane), event in first.items():
        by_fault.setdefault(kind, []).append(event)
    turns = zip_longest(*by_fault.values())
    return [event for turn in turns for event in turn if event is not None][:count]


def story(event: Published, outcome: Outcome) -> str:
    """Tell of one loss what a person needs in order to look for its cause; seconds count from the run's begin."""
    return "\n".join(_story(event, outcome.records[event.lane], outcome))


def _story(event: Published, record: LaneRecord, outcome: Outcome) -> Iterator[str]:
    published = {one.event_id: one for one in outcome.ledger.acknowledged if one.lane == event.lane}

    def at(moment: float | None) -> str:
        return "the end" if moment is None else f"{moment - outcome.began:.3f}"

    def named(event_id: str) -> str:
        one = published.get(event_id)
        return f"{event_id} ({one.ingress}, {at(one.earliest)})" if one else event_id or "no id"

    clock = datetime.fromtimestamp(event.earliest, UTC).isoformat(timespec="milliseconds")
    yield f"LOST IN SILENCE {event.event_id} for {event.lane}, by {event.ingress}"
    yield f"  Redis took it between {at(event.earliest)} and {at(event.latest)} s ({clock})"
    for word, reading in zip(("before", "after"), _around(event, record, published), strict=True):
        if reading is not None:
            pod = record.visits[reading.visit].pod + 1
            yield f"  of those published {word} it: {named(reading.event_id)}, read at {at(reading.at)} on pod-{pod}"
    for visit in _visits(record, event.earliest - NEARBY_SECONDS / 3, event.latest + NEARBY_SECONDS):
        greeted = "never greeted" if visit.greeted is None else f"greeted at {at(visit.greeted)}"
        span = f"from {at(visit.opened)} to {at(visit.ended)} ({visit.ending})"
        yield f"  on pod-{visit.pod + 1} {span}, {greeted}, came with {named(visit.last_event_id)}"
    for gap in record.gaps:
        if abs(gap.at - event.latest) < NEARBY_SECONDS:
            began = "the beginning" if gap.began is None else at(gap.began)
            yield f"  gap {gap.reason} from {began} to {at(gap.ended)}, told at {at(gap.at)}"
    if nearby := faults_nearby(event, record, outcome.faults):
        yield f"  nearest fault: {nearby[0].kind} of {nearby[0].target}"
    for fault in overlapping(outcome.faults, event.earliest - NEARBY_SECONDS, event.latest + NEARBY_SECONDS):
        yield f"  fault {fault.kind} of {fault.target} from {at(fault.began)} to {at(fault.ended)}"


def _around(
    event: Published, record: LaneRecord, published: Mapping[str, Published]
) -> tuple[Reading | None, Reading | None]:
    """Return what the lane read last of what was published before, and first of what was published after."""
    known = [(reading, published[reading.event_id]) for reading in record.readings if reading.event_id in published]
    before = [reading for reading, one in known if one.latest <= event.earliest and reading.at <= event.latest]
    after = [reading for reading, one in known if one.earliest >= event.latest]
    return (before[-1] if before else None), (after[0] if after else None)


def _visits(record: LaneRecord, began: float, ended: float) -> list[Visit]:
    return [visit for visit in record.visits if visit.opened <= ended and (visit.ended is None or visit.ended >= began)]


def as_json(outcome: Outcome, stories: int) -> str:
    """Return the figures, the faults and some stories as one JSON object."""
    verdict, plan = outcome.verdict, outcome.plan
    return json.dumps(
        {
            "seed": plan.seed,
            "seconds": round(outcome.ended - outcome.began, 1),
            "lanes": plan.lanes,
            "eventsPerSecond": plan.events_per_second,
            "calm": plan.calm,
            "failures": failures(outcome),
            "acknowledged": verdict.acknowledged,
            "refused": outcome.ledger.refused,
            "uncertain": outcome.ledger.uncertain,
            "read": verdict.read,
            "named": verdict.named,
            "namedVaguely": verdict.vaguely,
            "namedLate": verdict.late,
            "silent": len(verdict.silent),
            "silentNear": causes(outcome),
            "doubled": verdict.doubled,
            "doubledShare": round(verdict.doubled_share, 5),
            "misdelivered": verdict.misdelivered,
            "stranded": outcome.stranded,
            "disagreeing": outcome.disagreeing,
            "tracebacks": outcome.tracebacks,
            "notReady": outcome.not_ready[:2_000],
            "faults": [asdict(fault) for fault in outcome.faults],
            "stories": [story(event, outcome) for event in chosen(outcome, stories)],
        },
        indent=2,
    )
