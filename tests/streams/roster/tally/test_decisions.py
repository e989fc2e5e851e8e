"""What the tally looks at again, and what it writes of what it found."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.roster.reading.held import Tallied
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.states import StoreNow, Summary
from streams.roster.tally.decisions import (
    SETTLE_MS,
    SOONEST_MS,
    Look,
    decide,
    differences,
    due_at,
    looked,
    pause_after,
    rows,
)
from streams.roster.tally.scripts import TOTALS
from streams.roster.tally.worker import LOCK_SECONDS

NOW = 1_000_000
LIVES = frozenset({"one", "two"})
BEFORE = Tallied("history-1", began=5, missing_ms=120_000, at=7, alive=LIVES)


def summary(state: StoreState = StoreState.COMPLETE, missing: int = 0, **counts: int) -> Summary:
    facts = dict.fromkeys(("lanes", "expected", "connected", "offline", "unknown"), 0) | counts
    return Summary(state, missing=missing, said=False, missing_named=["A-1"] * missing, **facts)


def found(of: Summary, again: int = 0) -> StoreNow:
    return StoreNow([], of, again, [])


def totals(looks: list[Look]) -> dict[str, int]:
    return {name: count for name, count in zip(TOTALS, differences(looks), strict=True) if count}


def test_decide_at_first():
    """Everything is looked at, and nothing before counts."""
    decision = decide(Tallied(), NOW, "history-1", 120_000, LIVES)
    assert decision.tallied == Tallied("history-1", began=NOW, missing_ms=120_000, alive=LIVES)
    assert decision.everything


def test_decide_with_nothing_new():
    assert decide(BEFORE, NOW, "history-1", 120_000, LIVES) == (BEFORE, False, frozenset())


def test_decide_with_lives_that_ended_and_began():
    decision = decide(BEFORE, NOW, "history-1", 120_000, frozenset({"two", "three"}))
    assert not decision.everything
    assert decision.lives == {"one", "three"}
    assert decision.tallied.alive == {"two", "three"}


def test_decide_with_another_setting():
    decision = decide(BEFORE, NOW, "history-1", 60_000, LIVES)
    assert (decision.everything, decision.tallied.missing_ms) == (True, 60_000)


def test_decide_in_another_redis():
    """Its claims are read when all pods have made them; what began then began when they first could."""
    first = decide(BEFORE, NOW, "history-2", 120_000, LIVES)
    assert first.tallied == BEFORE._replace(coming="history-2", coming_since=NOW)
    assert not first.everything
    soon = decide(first.tallied, NOW + SETTLE_MS - 1, "history-2", 120_000, LIVES)
    assert soon == (first.tallied, False, frozenset())
    settled = decide(first.tallied, NOW + SETTLE_MS, "history-2", 120_000, LIVES)
    assert (settled.tallied.history, settled.tallied.began, settled.tallied.coming) == ("history-2", NOW, None)
    assert settled.everything


def test_decide_in_a_third_redis_and_back():
    """Each begins its own time, and the one that is read needs none."""
    first = decide(BEFORE, NOW, "history-2", 120_000, LIVES).tallied
    other = decide(first, NOW + SETTLE_MS, "history-3", 120_000, LIVES)
    assert (other.tallied.coming, other.tallied.coming_since) == ("history-3", NOW + SETTLE_MS)
    back = decide(first, NOW + SETTLE_MS, "history-1", 120_000, LIVES)
    assert (back.tallied.history, back.tallied.coming, back.everything) == ("history-1", None, False)


def test_looked():
    """A store that nothing will change by time is not looked at again, and none at once."""
    assert looked("A", None, found(summary()), NOW).again == 0
    assert looked("A", None, found(summary(), NOW + 5000), NOW).again == NOW + 5000
    assert looked("A", None, found(summary(), 5), NOW).again == NOW + SOONEST_MS


def test_differences():
    """What was counted of a store before is taken off; one without lanes counts for nothing."""
    dark = summary(StoreState.DARK, lanes=3, expected=2, offline=3)
    partial = summary(StoreState.PARTIAL, 1, lanes=3, expected=2, connected=1, unknown=1)
    looks = [Look("A", None, found(dark), 0), Look("B", dark, found(partial), 0), Look("C", dark, None, 0)]
    assert totals(looks) == {
        "stores": 1,
        "lanes": 3,
        "expected": 2,
        "connected": 1,
        "unknown": 1,
        "missing": 1,
        "partial_stores": 1,
    }
    assert totals([Look("A", dark, found(summary()), 0)]) == {
        "stores": -1,
        "lanes": -3,
        "expected": -2,
        "offline": -3,
        "dark_stores": -1,
    }


def test_rows():
    """An index has the store under its state, and under those that its lanes are in."""
    partial = summary(StoreState.PARTIAL, 1, lanes=3, connected=1, unknown=1)
    (store, written, state, lane_states, again) = rows([Look("A", None, found(partial), 9)])
    assert (store, state, again) == ("A", StoreState.PARTIAL, 9)
    assert isinstance(written, bytes)
    assert msgspec.json.decode(written, type=Summary) == partial
    assert str(lane_states).split() == [LaneState.CONNECTED, LaneState.UNKNOWN, LaneState.MISSING]


@pytest.mark.parametrize("now", [None, found(summary(lanes=1))])
def test_rows_of_what_is_as_it_was(now: StoreNow | None):
    """A large store that was left out, too."""
    assert rows([Look("A", summary(lanes=1), now, 9)]) == ["A", "", "", "", 9]


def test_rows_of_a_store_without_lanes():
    assert rows([Look("A", None, found(summary()), 0)]) == ["A", "-", "", "", 0]


def test_due_at():
    """A fifth of a millisecond for each lane: ten seconds for 50,000."""
    assert due_at(NOW, 50_000) == NOW + 10_000


summaries = st.none() | st.builds(
    lambda state, counts: summary(state, lanes=sum(counts), connected=counts[0], offline=counts[1]),
    st.sampled_from(StoreState),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)


@given(st.lists(st.tuples(st.sampled_from("ABC"), summaries.filter(lambda each: each is not None)), max_size=12))
def test_differences_add_up(changes: list[tuple[str, Summary]]):
    """Whatever becomes of stores, the totals are those of what they are now."""
    held: dict[str, Summary] = {}
    sums = [0] * len(TOTALS)
    for store, now in changes:
        change = differences([Look(store, held.get(store), found(now), 0)])
        sums = [before + each for before, each in zip(sums, change, strict=True)]
        held[store] = now
    assert sums == differences(Look(store, None, found(now), 0) for store, now in held.items())


@pytest.mark.parametrize(("lanes", "seconds"), [(0, 1.0), (3_000, 1.0), (5_000, 1.5), (100_000, 3.0)])
def test_pause_after_is_longer_where_much_was_looked_at(lanes: int, seconds: float):
    assert pause_after(lanes) == pytest.approx(seconds)
    assert seconds < LOCK_SECONDS
