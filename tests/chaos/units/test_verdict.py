"""The verdict tells a loss in silence from one that is named, and says why something was read twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.verdict import Ending, Ingress, LaneRecord, Published, Reading, Told, Verdict, Visit, judge

LANE = "LANE"


def published(number: int, at: float, ingress: Ingress = Ingress.CHANNEL, lane: str = LANE) -> Published:
    return Published(f"evt-{number}", lane, ingress, at, at + 0.01)


def gap(began: float | None, ended: float, at: float) -> Told:
    return Told(began, ended, "redis-outage", at, 0)


def lane(*read: tuple[int, float], gaps: tuple[Told, ...] = (), name: str = LANE) -> LaneRecord:
    record = LaneRecord(name, [Visit(0, 0.0, "", 0.0)])
    record.readings += [Reading(f"evt-{number}", at, 0) for number, at in read]
    record.gaps += gaps
    return record


def judged(events: list[Published], *records: LaneRecord) -> Verdict:
    return judge(events, {record.name: record for record in records})


def test_judge_event_read_is_not_lost():
    verdict = judged([published(1, 10), published(2, 11, Ingress.JOURNAL)], lane((1, 10.1), (2, 11.1)))
    assert (verdict.read, verdict.silent, verdict.named) == (2, [], 0)
    assert verdict.acknowledged == {Ingress.CHANNEL: 1, Ingress.JOURNAL: 1}
    assert (verdict.readings, verdict.doubled) == (2, Counter())


def test_judge_event_missing_without_gap_is_silent():
    lost = published(2, 11)
    verdict = judged([published(1, 10), lost, published(3, 12)], lane((1, 10.1), (3, 12.1)))
    assert verdict.silent == [lost]
    assert (verdict.read, verdict.named) == (2, 0)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (gap(10.5, 11.5, 13), True),
        (gap(11.005, 12, 13), True),
        (gap(10, 11.0, 13), True),
        (gap(None, 11.5, 13), True),
        (gap(10, 10.99, 13), False),
        (gap(11.02, 12, 13), False),
        (gap(None, 10.99, 13), False),
    ],
    ids=["around", "begins-within", "ends-at-begin", "from-null", "too-early", "too-late", "null-too-early"],
)
def test_judge_gap_names_what_was_published_in_it(told: Told, named: bool):
    verdict = judged([published(1, 11)], lane(gaps=(told,)))
    assert (verdict.named, len(verdict.silent)) == ((1, 0) if named else (0, 1))


def test_judge_gap_of_another_lane_names_nothing():
    other = lane(gaps=(gap(None, 20, 20),), name="OTHER")
    assert len(judged([published(1, 11)], lane(), other).silent) == 1


def test_judge_event_read_by_another_lane_is_lost():
    assert len(judged([published(1, 11)], lane(), lane((1, 11.1), name="OTHER")).silent) == 1


def test_judge_counts_what_is_named_only_from_the_beginning():
    vague, exact = gap(None, 20, 20), gap(10, 12, 13)
    assert judged([published(1, 11)], lane(gaps=(vague,))).vaguely == 1
    assert judged([published(1, 11)], lane(gaps=(vague, exact))).vaguely == 0


@pytest.mark.parametrize(
    ("later", "read_at", "late"),
    [
        (published(2, 12), 12.1, 1),
        (published(2, 12), 18.0, 0),
        # Each ingress has an order of its own.
        (published(2, 12, Ingress.JOURNAL), 12.1, 0),
        (published(2, 10), 12.1, 0),
    ],
    ids=["long-read", "just-read", "other-ingress", "published-before"],
)
def test_judge_gap_told_long_after_later_events_is_late(later: Published, read_at: float, late: int):
    verdict = judged([published(1, 11), later], lane((2, read_at), gaps=(gap(10, 12, 20),)))
    assert (verdict.named, verdict.late) == (1, late)


def moved(*endings: Ending) -> LaneRecord:
    """Return a lane whose streams ended so, and which read the same event in each of them."""
    record = LaneRecord(LANE)
    for number, ending in enumerate((*endings, Ending.OPEN)):
        record.visits.append(Visit(number, float(number), "", float(number), number + 1.0, ending))
        record.readings.append(Reading("evt-1", number + 0.5, number))
    return record


def test_judge_double_is_told_by_how_the_stream_before_it_ended():
    verdict = judged([published(1, 0)], moved(Ending.MOVED, Ending.KILLED, Ending.MOVED))
    assert verdict.doubled == {"after: moved": 2, "after: pod killed": 1}
    assert (verdict.read, verdict.readings) == (1, 4)
    assert verdict.doubled_share == 0.75


@pytest.mark.parametrize(
    ("ingress", "cause"),
    [(Ingress.BOTH, "same id by both ingresses"), (Ingress.CHANNEL, "in one stream")],
)
def test_judge_double_within_one_stream(ingress: Ingress, cause: str):
    assert judged([published(1, 0, ingress)], lane((1, 1), (1, 2))).doubled == {cause: 1}


def test_judge_event_nobody_acknowledged_is_not_required_but_may_be_a_double():
    """A publisher that got no answer does not know whether Redis took it."""
    verdict = judged([], lane((1, 1), (1, 2)))
    assert (verdict.read, verdict.silent, verdict.doubled) == (0, [], {"in one stream": 1})


def test_judge_counts_what_was_meant_for_another_lane():
    record = lane()
    record.misdelivered.append("evt-9")
    assert judged([], record).misdelivered == 1
