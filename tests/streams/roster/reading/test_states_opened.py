"""Since when a store is open, which is from when its lanes may be missing."""

from __future__ import annotations

import msgspec
import pytest

from streams.roster.reading.held import DAY_MS, Held
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.states import LaneNow, Summary, look, look_apart, look_at, look_for, opened_at
from tests.streams.roster.reading.test_states import (
    DEAD,
    MISSING_MS,
    NOW,
    SAID,
    TWO_DAYS,
    VIEW,
    ended,
    entry,
    held,
    states,
)

NIGHT_MS = DAY_MS // 2
LONG_MS = DAY_MS * 3 // 4
# The second went with the store, and the third long before.
AWAY = {"A-2": (None, ended(NIGHT_MS), TWO_DAYS), "A-3": (None, ended(LONG_MS), TWO_DAYS)}


def morning(first_ms: int) -> Held:
    """Hold a store whose first lane has come so long ago."""
    return held(**{"A-1": (entry(opened=NOW - first_ms), ended(NIGHT_MS), TWO_DAYS), **AWAY})


def night() -> Summary:
    return look(held(**{"A-1": (None, ended(NIGHT_MS), TWO_DAYS), **AWAY}), VIEW).summary


def test_look_says_since_when_a_store_is_dark():
    """Since its last lane went."""
    assert (night().state, night().dark_since) == (StoreState.DARK, NOW - NIGHT_MS)
    assert look(morning(0), VIEW, night()).summary.dark_since == 0


@pytest.mark.parametrize("first_ms", [0, 1000, MISSING_MS - 1])
def test_look_at_a_store_that_opens_lane_by_lane(first_ms: int):
    """Where the first lane has just come, the others have their time to come, too."""
    found = look(morning(first_ms), VIEW, night())
    assert found.summary.state is StoreState.COMPLETE
    assert states(found) == {"A-1": LaneState.CONNECTED, "A-2": LaneState.OFFLINE, "A-3": LaneState.OFFLINE}
    assert (found.summary.opened, found.again) == (NOW - first_ms, NOW - first_ms + MISSING_MS)


def test_look_at_a_store_that_has_opened():
    """Who has not come within that time is missing, since it went; the look before may have been at any time."""
    for before in (night(), look(morning(MISSING_MS), VIEW, night()).summary):
        found = look(morning(MISSING_MS), VIEW, before)
        missing = {each.name: (each.away, each.since) for each in found.lanes if each.state is LaneState.MISSING}
        assert missing == {"A-2": (NOW - NIGHT_MS, NOW), "A-3": (NOW - LONG_MS, NOW)}


def test_look_at_a_store_whose_only_lane_that_is_there_comes_back():
    """It was dark for a moment, as while pods are replaced: what was missing still is."""
    opened = NOW - DAY_MS // 3
    dark = look(held(**{"A-1": (None, ended(5000), TWO_DAYS), **AWAY}), VIEW, summary_of(opened)).summary
    assert (dark.state, dark.dark_since, dark.opened) == (StoreState.DARK, NOW - 5000, opened)
    found = look(morning(1000), VIEW, dark)
    assert found.summary.state is StoreState.PARTIAL
    assert (found.summary.opened, found.summary.missing) == (opened, 2)


def test_look_at_a_store_whose_pod_is_heard_again():
    """Its connection is older than the dark that seemed to be."""
    dark = look(held(**{"A-1": (entry(DEAD, NOW - DAY_MS), None, TWO_DAYS), **AWAY}), VIEW).summary
    assert look(morning(DAY_MS), VIEW, dark).summary.missing == 2


def test_look_at_a_store_of_which_lanes_were_said_and_none_was_there():
    """It opens with its first lane."""
    dark = look(held(**{"A-1": (None, None, SAID), "A-2": (None, None, SAID)}), VIEW).summary
    found = look(held(**{"A-1": (entry(opened=NOW - 1000), None, SAID), "A-2": (None, None, SAID)}), VIEW, dark)
    assert (dark.state, found.summary.state, found.summary.opened) == (StoreState.DARK, StoreState.COMPLETE, NOW - 1000)


def test_opened_at_before_the_tally_says_anything():
    """Without a look before, or a time to be missing after, nothing is known of it."""
    assert opened_at(morning(0), VIEW, None) == 0
    assert opened_at(morning(0), VIEW._replace(missing_ms=None), night()) == 0


def test_look_for_lanes_of_a_store_that_opens():
    """As look() finds them."""
    names = ["A-1", "A-2", "A-3"]
    by_name = {each.name: each for each in look(morning(1000), VIEW, night()).lanes}
    assert look_for(names, morning(1000), VIEW, night()) == [by_name[name] for name in names]


def test_look_at_one_lane_of_a_store_that_opens():
    found = look_at("A-2", morning(1000), VIEW, said=False, opened=NOW - 1000)
    assert isinstance(found, LaneNow)
    assert found.state is LaneState.OFFLINE


def test_look_apart_is_as_the_tally_found_the_store():
    """Dark, open since a moment, or not looked at yet."""
    part = held(**{"A-2": AWAY["A-2"]})
    for tallied, state in (
        (night(), LaneState.OFFLINE),
        (summary_of(NOW - 1000), LaneState.OFFLINE),
        (summary_of(NOW - MISSING_MS), LaneState.MISSING),
        (None, LaneState.MISSING),
    ):
        assert [(each.name, each.state) for each in look_apart(["A-2", "A-9"], part, VIEW, tallied)] == [("A-2", state)]


def summary_of(opened: int) -> Summary:
    """Return that of a store which has been open since a moment, with two lanes missing."""
    return msgspec.structs.replace(look(morning(DAY_MS), VIEW).summary, opened=opened)
