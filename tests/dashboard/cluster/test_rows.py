from __future__ import annotations

import time

from dashboard.cluster.rows import GONE_SECONDS, attention_rows, lane_row, pod_row, pods_shown, store_row
from streams.roster.lives import Heard, Life
from streams.roster.reading.lanes import Lane, LaneState, Store, StoreState
from streams.wire.timestamps import unix_seconds

AT, LATER = "2026-01-02T02:31:09.000Z", "2026-01-02T03:31:09.000Z"
PARTIAL = Store("STORE007", StoreState.PARTIAL, 6, 5, 4, 0, 1, ["STORE007-LANE03"])


def heard(life: str, name: str, silent: float = 1.0) -> Heard:
    return Heard(life, Life(name, "1.0.0", "", "ready", 1204, 12.34, 3.6), silent)


def test_pods_shown_are_those_that_are_there_or_have_just_gone():
    there = heard("a", "pod-1")
    gone, replaced = heard("b", "pod-2", 60.0), heard("c", "pod-1", 60.0)
    assert pods_shown([there, gone, replaced, heard("d", "pod-3", GONE_SECONDS)]) == [there, gone]


def test_pod_row():
    row = pod_row(heard("a", "pod-1"), "a")
    assert row[:8] == ["a", "pod-1", "this pod", "ready", "1.0.0", "1,204", "12", "4 ms"]
    at = unix_seconds(row[8])
    assert at is not None
    assert 0 < time.time() - at < 3
    assert pod_row(heard("a", "pod-1"), "b")[2] == "its own page is at that pod alone"


def test_pod_row_of_one_that_is_gone_has_no_figures():
    assert pod_row(heard("a", "pod-1", 60.0), "b")[2:8] == ["", "not heard", "1.0.0", "", "", ""]


def test_store_row():
    row = ["STORE007", "STORE007", "STORE007", "partial", "4 of 6", "5", "LANE03", "1", ""]
    assert store_row(PARTIAL) == row
    nameless = Store("", StoreState.COMPLETE, 1, 0, 1, 0, 0, [])
    assert store_row(nameless)[:4] == ["", "without a store", "-", "complete"]


def test_attention_rows_say_since_when_the_first_lane_is_away_or_the_store_dark():
    missing = [
        Lane("STORE007-LANE03", LaneState.MISSING, missing_since=LATER),
        Lane("STORE007-LANE04", LaneState.MISSING, missing_since=AT),
        Lane("STORE007-LANE05", LaneState.MISSING),
    ]
    dark = Store("STORE008", StoreState.DARK, 6, 6, 0, 6, 0, [], LATER)
    assert [row[-1] for row in attention_rows([PARTIAL, dark], missing)] == [AT, LATER]


def test_lane_row():
    lane = Lane(
        "STORE007-LANE03",
        LaneState.MISSING,
        expected=True,
        pod_name="pod-2",
        since=LATER,
        missing_since=AT,
        last_seen_at=AT,
        last_reason="dead-peer",
    )
    name = "STORE007-LANE03"
    assert lane_row(lane) == [name, "LANE03", name, "missing", "pod-2", AT, AT, "dead-peer", "yes"]
    assert lane_row(Lane("kiosk", LaneState.OFFLINE))[3:] == ["offline", "", "", "", "", "no"]
