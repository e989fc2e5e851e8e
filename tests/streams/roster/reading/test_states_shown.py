"""Some lanes of a store, and lanes and stores as they are shown."""

from __future__ import annotations

from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.queries import DAY_MS, Tallied
from streams.roster.reading.states import (
    Beat,
    View,
    connected,
    lane_of,
    look,
    look_for,
    read_summary,
    store_of_summary,
    view_of,
)
from tests.streams.roster.reading.test_states import (
    ALIVE,
    DEAD,
    NOW,
    SAID,
    TODAY,
    TWO_DAYS,
    UNHEARD,
    VIEW,
    ended,
    entry,
    held,
    lane,
)


def test_look_for_lanes_of_a_store_that_is_not_dark():
    """In the order of the names, without those that nobody knows."""
    store = held(**{"A-1": (entry(), None, TWO_DAYS), "A-2": (None, ended(DAY_MS), TWO_DAYS)})
    found = look_for(["A-2", "A-9", "A-1"], store, VIEW)
    assert [(each.name, each.state) for each in found] == [("A-2", LaneState.MISSING), ("A-1", LaneState.CONNECTED)]


def test_look_for_lanes_of_a_dark_store():
    store = held(**{"A-1": (entry(DEAD), None, TWO_DAYS), "A-2": (None, ended(DAY_MS), TWO_DAYS)})
    found = look_for(["A-2", "A-9"], store, VIEW)
    assert [(each.name, each.state) for each in found] == [("A-2", LaneState.OFFLINE)]


def test_connected():
    lanes = {"A-1": (entry(), None, TODAY), "A-2": (entry(DEAD), None, TODAY), "A-3": (None, ended(1), TODAY)}
    assert list(connected(held(**lanes), VIEW)) == ["A-1"]


def test_lane_of_a_connected_lane():
    shown = lane_of(lane(entry(), ended(90_000), TODAY), VIEW)
    assert (shown.pod_name, shown.life, shown.last_reason) == ("pod-1", ALIVE, "dead-peer")
    assert (shown.since, shown.last_seen_at) == ("2024-10-04T11:59:55.000Z", "2024-10-04T11:58:30.000Z")
    assert shown.missing_since is None


def test_lane_of_a_missing_lane():
    """It is missing since it went away, by the pod that had it last; pods may have any name."""
    shown = lane_of(lane(None, ended(180_000), TWO_DAYS), VIEW)
    assert (shown.pod_name, shown.life, shown.expected) == ("pod 9", None, True)
    assert (shown.missing_since, shown.since) == ("2024-10-04T11:57:00.000Z", "2024-10-04T11:59:00.000Z")


def test_lane_of_a_lane_that_never_was():
    shown = lane_of(look(held(**{"A-1": (None, None, SAID)}), VIEW).lanes[0], VIEW)
    assert (shown.since, shown.pod_name, shown.last_seen_at, shown.last_reason) == (None, None, None, None)


def test_lane_of_a_lost_pod():
    assert lane_of(lane(entry(UNHEARD), ended(DAY_MS), TODAY), VIEW).pod_name == "pod 9"


def test_store_of_summary():
    shown = store_of_summary(
        "A", look(held(**{"A-1": (entry(), None, TODAY), "A-2": (None, None, SAID)}), VIEW).summary
    )
    assert (shown.store, shown.state, shown.lanes, shown.missing) == ("A", StoreState.PARTIAL, 2, ["A-2"])


def test_read_summary():
    """What was never written, or is of another version, is none."""
    assert read_summary(None) is None
    assert read_summary(b'["blue",1]') is None
    assert read_summary(b'["dark",3,2,0,3,0,0,false,[]]') is not None


def test_view_of():
    pods = [b"l1", b'%d {"podName":"pod-1","version":"1","startedAt":""}' % (NOW - 20), b"l2", b"of another version"]
    view = view_of(NOW, Tallied("x", began=5, missing_ms=6), pods)
    assert view == View(NOW, 5, 6, {"l1": Beat(NOW - 20, "pod-1")})
