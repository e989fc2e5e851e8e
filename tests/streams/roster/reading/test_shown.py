"""Lanes and stores as they are shown."""

from __future__ import annotations

from streams.roster.reading.held import DAY_MS
from streams.roster.reading.lanes import StoreState
from streams.roster.reading.shown import lane_of, store_of_summary
from streams.roster.reading.states import look
from tests.streams.roster.reading.test_states import (
    ALIVE,
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
    assert shown.dark_since is None


def test_store_of_summary_of_a_dark_store():
    """It says since when, which a store that is not dark does not."""
    shown = store_of_summary("A", look(held(**{"A-1": (None, ended(180_000), TWO_DAYS)}), VIEW).summary)
    assert (shown.state, shown.dark_since) == (StoreState.DARK, "2024-10-04T11:57:00.000Z")
