from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.history.coverage import Coverage, Gap, GapReason, Ingress, Intervals, merged

OUTAGE, STARTED, EXPIRED = GapReason.REDIS_OUTAGE, GapReason.POD_STARTED, GapReason.EXPIRED


def missed(*intervals: tuple[float, float], heard_since: float = 0.0) -> Coverage:
    coverage = Coverage(heard_since)
    for since, until in intervals:
        coverage.miss(since, until)
    return coverage


def test_each_ingress_has_another():
    assert Ingress.CHANNEL.other is Ingress.JOURNAL
    assert Ingress.JOURNAL.other is Ingress.CHANNEL


def test_every_reason_has_a_sentence():
    assert GapReason("expired") is EXPIRED
    assert all(reason.sentence.endswith(".") for reason in GapReason)


def test_nothing_is_missing_after_what_was_heard_whole():
    assert missed().missing_after(0) is None
    assert missed().missed_until == -inf


def test_what_was_missed_after_a_mark_is_missing():
    coverage = missed((10, 20))
    assert coverage.missing_after(5) == Gap(OUTAGE, 10, 20)
    assert coverage.missing_after(15) == Gap(OUTAGE, 15, 20)
    assert coverage.missing_after(20) is None
    assert coverage.missed_until == 20


def test_several_intervals_are_one_gap():
    coverage = missed((10, 20), (30, 40))
    assert coverage.missing_after(5) == Gap(OUTAGE, 10, 40)
    assert coverage.missing_after(25) == Gap(OUTAGE, 30, 40)


@pytest.mark.parametrize("since", [15, 20])
def test_intervals_that_touch_become_one(since: float):
    coverage = missed((10, 20), (since, 40))
    assert coverage.missing_after(19) == Gap(OUTAGE, 19, 40)
    assert not coverage.forget(39)
    assert coverage.forget(40)


def test_an_interval_that_begins_before_others_takes_them_in():
    """A loss that is found late began before others that were found early."""
    assert missed((10, 20), (30, 40), (5, 50)).missing_after(0) == Gap(OUTAGE, 5, 50)
    assert missed((10, 20), (30, 40), (5, 50)).missing_after(25) == Gap(OUTAGE, 25, 50)


def test_what_was_before_the_start_is_missing():
    coverage = missed((110, 120), heard_since=100)
    assert coverage.missing_after(100) == Gap(OUTAGE, 110, 120)
    assert coverage.missing_after(90) == Gap(OUTAGE, 90, 120)
    assert missed(heard_since=100).missing_after(90) == Gap(STARTED, 90, 100)


def test_forgets_what_ended_before_a_moment():
    coverage = missed((10, 20), (30, 40))
    assert not coverage.forget(19)
    assert coverage.forget(20)
    assert coverage.missing_after(0) == Gap(OUTAGE, 30, 40)
    assert coverage.missed_until == 40


def test_a_gap_of_several_holds_all_and_has_the_reason_of_the_last():
    early, late = Gap(STARTED, 5, 10), Gap(OUTAGE, 8, 20)
    assert merged(early, None, late) == Gap(OUTAGE, 5, 20)
    assert merged(late, early) == Gap(OUTAGE, 5, 20)
    assert merged(late, Gap(EXPIRED, None, 10)) == Gap(OUTAGE, None, 20)
    assert merged(Gap(OUTAGE, 0.0, 5), late) == Gap(OUTAGE, 0.0, 20)
    assert merged(None, None) is None


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 10))), st.integers(-5, 60), st.integers(0, 10))
def test_no_missed_moment_is_left_out(outages: list[tuple[int, int]], mark: int, heard_since: int):
    """Intervals come in the order of their ends, and begin anywhere before them."""
    coverage, now, moments = Coverage(heard_since), heard_since, set(range(-5, heard_since))
    for length, pause in outages:
        now += pause
        coverage.miss(now - length, now)
        moments |= set(range(now - length, now))
    gap = coverage.missing_after(mark)
    wanted = {moment for moment in moments if moment >= mark}
    if gap is None:
        assert not wanted
    else:
        assert gap.began is not None
        assert all(gap.began <= moment < gap.ended for moment in wanted)
        assert mark <= gap.began < gap.ended <= now


def test_intervals_tell_which_one_a_moment_is_in():
    intervals = Intervals()
    assert intervals.around(5.0) == (5.0, 5.0)
    intervals.note(1.0, 3.0)
    intervals.note(6.0, 8.0)
    assert intervals.around(2.0) == intervals.around(3.0) == (1.0, 3.0)
    assert intervals.around(5.0) == (5.0, 5.0)
    assert intervals.around(6.0) == (6.0, 8.0)
    assert intervals.ended_at == 8.0
    intervals.note(2.5, 9.0)
    assert intervals.ended_after(0.0) == [(1.0, 9.0)]


def test_what_is_noted_late_has_its_place_too():
    intervals = Intervals()
    for interval in ((30, 40), (50, 60), (10, 20), (35, 52), (1, 2)):
        intervals.note(*interval)
    assert intervals.ended_after(-inf) == [(1, 2), (10, 20), (30, 60)]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted), max_size=8))
def test_in_whatever_order_times_are_noted_they_hold_the_same(times: list[list[int]]):
    intervals = Intervals()
    for since, until in times:
        intervals.note(since, until)
    found = intervals.ended_after(-inf)
    assert found == sorted(found)
    for moment in range(51):
        assert any(since <= moment <= until for since, until in found) == any(
            since <= moment <= until for since, until in times
        )


def test_all_was_heard_since_the_start():
    coverage = Coverage(heard_since=10)
    assert coverage.whole_since(50) == 10
    coverage.from_the_first = True
    assert coverage.whole_since(50) == 10, "a journal before this one may have been deleted"


@pytest.mark.parametrize(
    ("moment", "since"), [(15, 0), (20, 0), (20.5, 20.5), (30, 30), (35, 30), (40, 30), (45, 45), (50, 50), (99, 50)]
)
def test_all_up_to_a_moment_was_heard_since_the_last_time_that_was_missed(moment: float, since: float):
    """In a time that was missed nothing before the moment is sure."""
    assert missed((20, 30), (40, 50)).whole_since(moment) == since


def test_a_time_that_was_missed_before_the_start_makes_nothing_whole():
    assert missed((2, 5), heard_since=10).whole_since(20) == 10
