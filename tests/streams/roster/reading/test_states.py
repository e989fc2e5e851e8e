"""Which state lanes and stores are in."""

from __future__ import annotations

from typing import Any

import pytest

from streams.roster.reading.held import DAY_MS, Held
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.states import (
    BURIED,
    BURY_MS,
    FORGET_DAYS,
    LIFE_MS,
    MAX_NAMED,
    Beat,
    LaneNow,
    StoreNow,
    View,
    in_the_dark,
    look,
    look_at,
)
from streams.roster.script import DAYS, Said

DAY = 20_000
# At noon of it.
NOW = DAY * DAY_MS + DAY_MS // 2
MISSING_MS = 120_000
ALIVE, DEAD, UNHEARD = "life-alive", "life-dead", "life-unheard"
PODS = {ALIVE: Beat(NOW - 1000, "pod-1"), DEAD: Beat(NOW - 60_000, "pod-2")}
VIEW = View(NOW, NOW - DAY_MS, MISSING_MS, PODS)
TODAY, TWO_DAYS = f"{DAY} 1 0", f"{DAY} 3 0"
SAID = f"{DAY} 0 1"


def entry(life: str = ALIVE, opened: int = NOW - 5000) -> str:
    return f"{life} 7 {opened}"


def ended(ago_ms: int, reason: str = "dead-peer") -> str:
    return f"{NOW - ago_ms} {reason} pod 9"


def held(**lanes: tuple[str | None, str | None, str | None]) -> Held:
    """Hold of each lane its entry, its end and what is known of it."""
    hashes: Any = [{name: each[place] for name, each in lanes.items() if each[place]} for place in range(3)]
    return Held(*hashes)


def lane(here: str | None = None, seen: str | None = None, known: str | None = None, view: View = VIEW) -> LaneNow:
    found = look_at("A-1", Held(*({"A-1": each} if each else {} for each in (here, seen, known))), view, said=False)
    assert found is not None
    return found


def states(now: StoreNow) -> dict[str, LaneState]:
    return {each.name: each.state for each in now.lanes}


def test_look_at_connected():
    """The life of its pod is heard."""
    found = lane(entry(), ended(90_000), TODAY)
    assert (found.state, found.expected, found.since, found.away) == (LaneState.CONNECTED, False, NOW - 5000, 0)


def test_look_at_unknown_since_its_pods_last_beat():
    """Nobody says that its connection has ended."""
    found = lane(entry(DEAD), None, TODAY)
    assert (found.state, found.since, found.away) == (LaneState.UNKNOWN, NOW - 60_000, NOW - 60_000)


def test_look_at_a_life_that_was_never_heard():
    """Its entry says when it was there."""
    found = lane(entry(UNHEARD), None, TODAY)
    assert (found.state, found.since) == (LaneState.UNKNOWN, NOW - 5000)


@pytest.mark.parametrize(("silent_ms", "state"), [(LIFE_MS - 1, LaneState.CONNECTED), (LIFE_MS, LaneState.UNKNOWN)])
def test_look_at_the_moment_a_life_ends(silent_ms: int, state: LaneState):
    """A pod that was not heard for as long as three beats take is not there."""
    view = VIEW._replace(pods={ALIVE: Beat(NOW - silent_ms)})
    assert lane(entry(), None, TODAY, view).state is state


def test_look_at_offline():
    """Its connection ended, and nobody expects it."""
    found = lane(None, ended(MISSING_MS + 1), TODAY)
    assert (found.state, found.expected, found.since) == (LaneState.OFFLINE, False, NOW - MISSING_MS - 1)


@pytest.mark.parametrize(("ago_ms", "state"), [(MISSING_MS - 1, LaneState.OFFLINE), (MISSING_MS, LaneState.MISSING)])
def test_look_at_missing_after_its_end(ago_ms: int, state: LaneState):
    """An expected lane has its time to come back."""
    found = lane(None, ended(ago_ms), TWO_DAYS)
    assert (found.state, found.expected, found.away) == (state, True, NOW - ago_ms)


@pytest.mark.parametrize(("ago_ms", "state"), [(MISSING_MS - 1, LaneState.UNKNOWN), (MISSING_MS, LaneState.MISSING)])
def test_look_at_missing_after_its_pods_last_beat(ago_ms: int, state: LaneState):
    """A lane whose pod died has that time as well."""
    view = VIEW._replace(pods={DEAD: Beat(NOW - ago_ms)})
    assert lane(entry(DEAD, NOW - DAY_MS), ended(DAY_MS), TWO_DAYS, view).state is state


def test_look_at_a_lane_that_redis_forgot():
    """Where pods began to claim anew just now, nothing older makes a lane missing."""
    view = VIEW._replace(began=NOW - MISSING_MS + 1)
    assert lane(None, ended(DAY_MS), TWO_DAYS, view).state is LaneState.OFFLINE
    assert lane(None, ended(DAY_MS), TWO_DAYS, view._replace(now=NOW + 1)).state is LaneState.MISSING


def test_look_at_without_a_time():
    """Before the tally has said after how long a lane is missing, none is."""
    assert lane(None, ended(DAY_MS), TWO_DAYS, VIEW._replace(missing_ms=None)).state is LaneState.OFFLINE


def test_look_at_unknown_names():
    """A lane that was retired is not known until it connects again, and neither is one that only ended."""
    assert look_at("A-1", held(), VIEW, said=False) is None
    assert look_at("A-1", Held({}, {"A-1": ended(1)}, {"A-1": f"{DAY} 3 {Said.RETIRED}"}), VIEW, said=False) is None


def test_look_at_retired_and_connected():
    """It is there for as long as it is, and nobody expects it."""
    found = lane(entry(), None, f"0 0 {Said.RETIRED}")
    assert (found.state, found.expected) == (LaneState.CONNECTED, False)


@pytest.mark.parametrize("written", ["", "x", "a b c", "1 2", "1 2 3 4"])
def test_look_at_what_another_version_wrote(written: str):
    """What cannot be read is left out, and not taken for an end of the lane."""
    found = look(Held({"A-1": written, "A-2": entry()}, {"A-2": written}, {"A-2": TODAY, "A-3": written}), VIEW)
    assert states(found) == {"A-2": LaneState.CONNECTED}
    assert found.gone == []


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (f"{DAY} 1 0", False),
        (f"{DAY} 3 0", True),
        # Today and thirteen days ago.
        (f"{DAY} {1 | 1 << 13} 0", True),
        (f"{DAY - 1} {1 | 1 << 13} 0", False),
        (f"{DAY - 12} 3 0", True),
        (f"{DAY - 13} 3 0", False),
        (f"{DAY - 400} {2**DAYS - 1} 0", False),
        # The clock of Redis was set back.
        (f"{DAY + 3} 3 0", True),
    ],
)
def test_look_at_the_days_of_a_lane(known: str, expected: bool):
    """Expected is what was there on two of the last fourteen days, and the window moves."""
    assert lane(None, ended(1), known).expected is expected


def test_look_at_a_connection_of_several_days():
    """Each of the days of a connection counts, for one connect."""
    view = VIEW._replace(now=NOW + DAY_MS, pods={ALIVE: Beat(NOW + DAY_MS)})
    assert not lane(entry(), None, TODAY).expected
    assert lane(entry(), None, TODAY, view).expected
    view = view._replace(now=NOW + 100 * DAY_MS, pods={ALIVE: Beat(NOW + 100 * DAY_MS)})
    assert lane(entry(), None, TODAY, view).expected


def test_look_at_the_days_of_a_dead_pods_lane():
    """They count until its last beat, and leave the window as others do."""
    beat = Beat(NOW - 12 * DAY_MS)
    view = VIEW._replace(pods={DEAD: beat})
    assert lane(entry(DEAD, NOW - 13 * DAY_MS), None, f"{DAY - 13} 1 0", view).expected
    view = view._replace(now=NOW + DAY_MS)
    assert not lane(entry(DEAD, NOW - 13 * DAY_MS), None, f"{DAY - 13} 1 0", view).expected
    view = view._replace(now=NOW + 9 * DAY_MS)
    assert not lane(entry(DEAD, NOW - 13 * DAY_MS), None, f"{DAY - 13} 1 0", view).expected


def test_look_at_a_said_store():
    """What was said is expected, also before it was ever there, and other lanes are not."""
    found = look(held(**{"A-1": (entry(), None, TWO_DAYS), "A-2": (None, None, SAID)}), VIEW)
    assert {each.name: each.expected for each in found.lanes} == {"A-1": False, "A-2": True}
    assert found.summary.said
    (missing,) = (each for each in found.lanes if each.name == "A-2")
    assert (missing.state, missing.since, missing.away) == (LaneState.MISSING, 0, 0)


def test_look_complete():
    """All expected lanes are there, or have their time to come back."""
    found = look(held(**{"A-1": (entry(), None, TWO_DAYS), "A-2": (None, ended(1), TWO_DAYS)}), VIEW)
    assert found.summary.state is StoreState.COMPLETE
    assert (found.summary.lanes, found.summary.expected, found.summary.connected, found.summary.offline) == (2, 2, 1, 1)


def test_look_partial():
    """A lane that is missing is named where another is connected."""
    lanes = {
        "A-3": (None, ended(DAY_MS), TWO_DAYS),
        "A-2": (None, ended(DAY_MS), TWO_DAYS),
        "A-1": (entry(), None, TODAY),
    }
    summary = look(held(**lanes), VIEW).summary
    assert (summary.state, summary.missing, summary.missing_named) == (StoreState.PARTIAL, 2, ["A-2", "A-3"])
    assert (summary.connected, summary.offline, summary.unknown) == (1, 0, 0)


def test_look_dark():
    """Where none is connected no lane is missing: it is night, or the store's line."""
    lanes = {
        "A-1": (None, ended(DAY_MS), TWO_DAYS),
        "A-2": (entry(DEAD, NOW - DAY_MS), None, TWO_DAYS),
        "A-3": (None, ended(DAY_MS), TODAY),
    }
    found = look(held(**lanes), VIEW._replace(now=NOW + 10 * MISSING_MS))
    assert (found.summary.state, found.summary.missing, found.summary.missing_named) == (StoreState.DARK, 0, [])
    assert states(found) == {"A-1": LaneState.OFFLINE, "A-2": LaneState.UNKNOWN, "A-3": LaneState.OFFLINE}
    assert {each.since for each in found.lanes} == {NOW - DAY_MS, NOW - 60_000}


def test_look_at_a_store_nobody_expects():
    """It is complete, whoever is away; one without lanes has none."""
    assert look(held(**{"A-1": (None, ended(DAY_MS), TODAY)}), VIEW).summary.state is StoreState.COMPLETE
    assert look(held(), VIEW).summary.lanes == 0


def test_look_names_no_more_than_so_many():
    """The sum of a large store does not grow with it."""
    lanes: Any = {f"A-{number:05}": (None, None, SAID) for number in range(MAX_NAMED + 5)}
    summary = look(held(**lanes, **{"A-here": (entry(), None, SAID)}), VIEW).summary
    assert (summary.missing, len(summary.missing_named)) == (MAX_NAMED + 5, MAX_NAMED)


def test_look_buries_the_entry_of_a_pod_that_died_long_ago():
    """It ended with its pod, on the days that it was there."""
    view = VIEW._replace(now=NOW - 60_000 + BURY_MS)
    found = look(held(**{"A-1": (entry(DEAD, NOW - 2 * DAY_MS), None, f"{DAY - 2} 1 0")}), view)
    (gone,) = found.gone
    assert gone.entry == entry(DEAD, NOW - 2 * DAY_MS)
    assert gone.seen == f"{NOW - 60_000} {BURIED} pod-2"
    assert (gone.known, gone.will_be_known) == (f"{DAY - 2} 1 0", f"{DAY + 1} {0b1110} 0")
    assert look(held(**{"A-1": (entry(DEAD), None, TODAY)}), view._replace(now=view.now - 1)).gone == []


def test_look_buries_what_was_retired():
    """Nothing more is known of it afterwards."""
    (gone,) = look(held(**{"A-1": (entry(UNHEARD, NOW - BURY_MS), None, f"0 0 {Said.RETIRED}")}), VIEW).gone
    assert (gone.seen, gone.known, gone.will_be_known) == (f"{NOW - BURY_MS} {BURIED} ", "0 0 2", "0 0 2")


@pytest.mark.parametrize(
    ("known", "gone"),
    [
        (f"{DAY - FORGET_DAYS + 1} 3 0", False),
        (f"{DAY - FORGET_DAYS} 3 0", True),
        (f"{DAY - FORGET_DAYS} 3 1", False),
        ("0 0 2", True),
    ],
)
def test_look_forgets(known: str, gone: bool):
    """What nobody said is forgotten after a season, and what was retired at once."""
    found = look(held(**{"A-1": (None, ended(DAY_MS), known)}), VIEW)
    assert [(each.name, each.known) for each in found.gone] == ([("A-1", known)] if gone else [])


def test_look_keeps_what_is_connected():
    """However long ago it was learned."""
    assert look(held(**{"A-1": (entry(), None, "1 1 0"), "A-2": (entry(), None, "0 0 2")}), VIEW).gone == []


def test_in_the_dark_leaves_others():
    found = lane(None, ended(1), TODAY)
    assert in_the_dark(found) is found
