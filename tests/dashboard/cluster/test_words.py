from __future__ import annotations

import pytest

from dashboard.cluster.words import (
    ended,
    lane_headline,
    lane_since,
    short,
    since,
    store_headline,
)
from streams.roster.reading.lanes import Lane, LaneState, Store, StoreState

NOW = "2026-01-02T08:00:00.000Z"
TODAY = "2026-01-02T02:31:09.000Z"
BEFORE = "2026-01-01T02:31:09.000Z"


def lane(state: LaneState, **fields: object) -> Lane:
    return Lane("STORE007-LANE03", state, pod_name="pod-2", life="two", **fields)  # type: ignore[arg-type]


def store(state: StoreState, *missing: str) -> Store:
    return Store("STORE007", state, 6, 5, 4, 1, 0, list(missing))


@pytest.mark.parametrize(
    ("name", "shown"), [("STORE007-LANE03", "LANE03"), ("STORE007-LANE-3", "LANE-3"), ("kiosk", "kiosk"), ("S-", "")]
)
def test_short_is_the_name_within_its_store(name: str, shown: str):
    assert short(name) == shown


def test_since_leaves_out_today():
    assert [since(TODAY, NOW), since(BEFORE, NOW)] == ["02:31 UTC", "2026-01-01 02:31 UTC"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (LaneState.CONNECTED, "Connected to pod-2."),
        (LaneState.OFFLINE, "Not connected. The client's machine stopped answering."),
        (LaneState.UNKNOWN, "Unknown: pod-2, to which it was connected, is not heard."),
        (LaneState.MISSING, "Missing: it is expected, and not connected. The client's machine stopped answering."),
    ],
)
def test_lane_headline(state: LaneState, said: str):
    assert lane_headline(lane(state, last_reason="dead-peer", missing_since=BEFORE), "one") == said


def test_lane_headline_of_what_redis_does_not_know_yet():
    assert lane_headline(None, "one") == "No client of this name is known."
    assert lane_headline(lane(LaneState.CONNECTED), "two") == "Its connection to pod-2 has just begun or ended."
    assert lane_headline(Lane("kiosk", LaneState.UNKNOWN), "one").startswith("Unknown: a pod, to which")
    assert lane_headline(Lane("kiosk", LaneState.OFFLINE), "one") == "Not connected."
    never = "Missing: it is expected, and no connection of it is known."
    assert lane_headline(Lane("kiosk", LaneState.MISSING), "one") == never


def test_ended_of_a_lost_pod():
    assert ended(lane(LaneState.OFFLINE, last_reason="pod-lost")) == "Its pod was lost."
    assert ended(lane(LaneState.OFFLINE)) == ""


def test_lane_since_of_a_missing_lane_is_when_it_went():
    assert lane_since(lane(LaneState.MISSING, since=TODAY, missing_since=BEFORE)) == BEFORE
    assert lane_since(lane(LaneState.OFFLINE, since=TODAY)) == TODAY
    assert lane_since(lane(LaneState.OFFLINE)) == ""


def test_store_headline():
    missing = [lane(LaneState.MISSING, missing_since=TODAY)]
    there = "4 of 6 lanes connected"
    partial = store(StoreState.PARTIAL, "STORE007-LANE03")
    assert store_headline(partial, missing, NOW) == f"{there}; LANE03 is missing since 02:31 UTC."
    two = store(StoreState.PARTIAL, "STORE007-LANE03", "STORE007-LANE04")
    assert store_headline(two, [], NOW) == f"{there}; LANE03, LANE04 are missing."
    assert store_headline(store(StoreState.COMPLETE), [], NOW) == f"{there}; no lane that is expected is missing."


def test_store_headline_of_a_dark_store():
    """It says since when, where that is known; a store of one lane has no others that could be there."""
    dark = Store("STORE007", StoreState.DARK, 6, 5, 0, 6, 0, [], TODAY)
    said = "Dark since 02:31 UTC: none of its 6 lanes is connected, 5 of them expected."
    assert store_headline(dark, [], NOW) == said
    only = Store("STORE007", StoreState.DARK, 1, 1, 0, 1, 0, [])
    assert store_headline(only, [], NOW) == "Dark: its only lane is not connected."
