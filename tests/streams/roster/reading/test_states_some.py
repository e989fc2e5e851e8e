"""Some lanes of a store, and what stands in Redis of stores and pods."""

from __future__ import annotations

from streams.roster.reading.held import DAY_MS, Tallied
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.states import Beat, View, connected, look_for, read_summary, view_of
from tests.streams.roster.reading.test_states import DEAD, NOW, TODAY, TWO_DAYS, VIEW, ended, entry, held


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


def test_read_summary():
    """What was never written, or is of another version, is none."""
    assert read_summary(None) is None
    assert read_summary(b'["blue",1]') is None
    assert read_summary(b'["dark",3,2,0,3,0,0,false,[]]') is not None


def test_view_of():
    pods = [b"l1", b'%d {"podName":"pod-1","version":"1","startedAt":""}' % (NOW - 20), b"l2", b"of another version"]
    view = view_of(NOW, Tallied("x", began=5, missing_ms=6), pods)
    assert view == View(NOW, 5, 6, {"l1": Beat(NOW - 20, "pod-1")})
