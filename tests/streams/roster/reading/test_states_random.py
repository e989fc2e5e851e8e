"""States of any lanes: what holds whatever the hashes hold."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.roster.reading.held import DAY_MS, Held
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.states import Beat, View, look, look_for
from streams.roster.script import DAYS, Said
from tests.streams.roster.reading.test_states import (
    ALIVE,
    DAY,
    DEAD,
    MISSING_MS,
    NOW,
    PODS,
    UNHEARD,
    VIEW,
    ended,
    entry,
    held,
    lane,
)

lives = st.sampled_from([ALIVE, DEAD, UNHEARD])
moments = st.integers(NOW - 40 * DAY_MS, NOW)
entries = st.none() | st.builds(entry, lives, moments)
ends = st.none() | st.builds(ended, st.integers(0, 40 * DAY_MS))
knowns = st.none() | st.builds(
    lambda ago, days, said: f"{DAY - ago} {days} {said}",
    st.integers(0, 120),
    st.integers(0, 2**DAYS - 1),
    st.sampled_from(list(Said)),
)
helds = st.dictionaries(st.sampled_from("abcd").map("S-{}".format), st.tuples(entries, ends, knowns), max_size=4).map(
    lambda lanes: held(**lanes)
)
views = st.builds(View, st.just(NOW), moments, st.just(MISSING_MS), st.just(PODS))


@given(helds, views)
def test_look_counts_each_lane_once(held: Held, view: View):
    summary = look(held, view).summary
    assert summary.lanes == summary.connected + summary.offline + summary.unknown + summary.missing
    assert summary.lanes >= summary.expected


@given(helds, views)
def test_look_holds_what_the_states_mean(held: Held, view: View):
    found = look(held, view)
    connected = {name for name, written in held.here.items() if written.startswith(ALIVE)}
    assert {each.name for each in found.lanes if each.state is LaneState.CONNECTED} == connected
    missing = {each.name for each in found.lanes if each.state is LaneState.MISSING}
    expected = {each.name for each in found.lanes if each.expected}
    assert missing <= expected - connected
    assert (found.summary.state is StoreState.DARK) == (bool(expected) and not connected)
    assert (found.summary.state is StoreState.PARTIAL) == bool(missing)
    assert all(view.now - each.away >= MISSING_MS for each in found.lanes if each.name in missing)


@given(helds, views, st.integers(0, 60 * DAY_MS))
def test_look_says_when_to_look_again(held: Held, view: View, later_ms: int):
    """Until then nothing changes but by claims, and lives that come and go."""
    found = look(held, view)
    # What is gone is taken away at once.
    assume(not found.gone)
    now = min(NOW + later_ms, found.again - 1) if found.again else NOW + later_ms
    pods = {life: Beat(now if life == ALIVE else beat.at, beat.pod_name) for life, beat in PODS.items()}
    later = look(held, view._replace(now=now, pods=pods))
    assert (later.summary, later.gone) == (found.summary, [])


@given(helds, views, st.lists(st.sampled_from("abcde").map("S-{}".format), unique=True))
def test_look_for_finds_what_look_does(held: Held, view: View, names: list[str]):
    lanes = {each.name: each for each in look(held, view).lanes}
    assert look_for(names, held, view) == [lanes[name] for name in names if name in lanes]


@given(st.integers(0, 2**DAYS - 1), st.integers(0, 20))
def test_look_counts_days_as_they_were(days: int, later: int):
    """The same as counting the days one by one, as they are fewer and fewer."""
    there = {DAY - back for back in range(DAYS) if days >> back & 1}
    window = range(DAY + later - DAYS + 1, DAY + later + 1)
    view = VIEW._replace(now=NOW + later * DAY_MS)
    assert lane(None, ended(1), f"{DAY} {days} 0", view).expected == (len(there.intersection(window)) >= 2)
