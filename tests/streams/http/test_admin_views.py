"""How a client of another pod is told of."""

from __future__ import annotations

import pytest

from streams.http.admin_views import MAX_LISTED, lane_json, limit_of, where
from streams.roster.reading.lanes import Lane, LaneState

SINCE, NOW = "2026-01-05T12:00:00.000Z", "2026-01-05T12:01:30.500Z"


@pytest.mark.parametrize(
    ("lane", "sentence"),
    [
        (None, " No pod knows of it."),
        (Lane("A", LaneState.CONNECTED, pod_name="pod-2", since=SINCE), f" It is on pod-2 since {SINCE}."),
        (
            Lane("A", LaneState.UNKNOWN, pod_name="pod-2", since=SINCE),
            f" It was on pod-2, which is not heard since {SINCE}.",
        ),
        (
            Lane("A", LaneState.MISSING, pod_name="pod-2", since=SINCE, last_reason="dead-peer"),
            f" It is missing since {SINCE}; its last stream ended as dead-peer on pod-2.",
        ),
        (Lane("A", LaneState.OFFLINE, expected=True), " It is offline."),
    ],
)
def test_where(lane: Lane | None, sentence: str):
    assert where(lane) == sentence


@pytest.mark.parametrize(
    ("text", "limit"),
    [("1", 1), ("1000", 1000), ("", MAX_LISTED), ("0", MAX_LISTED), ("1001", MAX_LISTED), ("x", MAX_LISTED)]
    + [(text, MAX_LISTED) for text in ("-1", "٣", "9" * 5000, "1.5")],
)
def test_limit_of(text: str, limit: int):
    assert limit_of(text) == limit


def test_lane_json_has_the_original_keys():
    said = lane_json(Lane("A", LaneState.CONNECTED, pod_name="pod-2", since=SINCE), NOW)
    assert said == {
        "clientName": "A",
        "podName": "pod-2",
        "connectedAt": SINCE,
        "lastActivity": None,
        "eventCount": None,
        "isAlive": True,
        "uptime": 90,
    }
    assert lane_json(Lane("A", LaneState.CONNECTED), NOW)["uptime"] is None
