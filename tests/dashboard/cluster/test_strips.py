from __future__ import annotations

import pytest

from dashboard.cluster.strips import DAY_SECONDS, PARTS, Strip, path_of, share_of, spans_of, strip_of
from streams.roster.reading.lanes import Lane, LaneState
from streams.roster.tracing.entries import Kind, TraceEntry
from streams.wire.timestamps import iso

NOW = 1_800_000_000.0
HOUR = 3600.0
OFFLINE = Lane("STORE007-LANE03", LaneState.OFFLINE)


def closed(ago: float, seconds: float | None, stream: str = "a.1") -> TraceEntry:
    return TraceEntry(Kind.CLOSED, at=iso(NOW - ago), stream=stream, seconds=seconds)


def connected(ago: float) -> Lane:
    return Lane("STORE007-LANE03", LaneState.CONNECTED, since=iso(NOW - ago))


def test_spans_are_those_of_streams_with_a_known_beginning():
    opened = TraceEntry(Kind.OPENED, at=iso(NOW - 3 * HOUR), stream="a.1")
    refused = closed(HOUR, 5.0, stream="")
    assert spans_of(OFFLINE, [opened, closed(HOUR, HOUR), closed(60, None), refused], NOW) == [
        (NOW - 2 * HOUR, NOW - HOUR)
    ]
    assert spans_of(connected(HOUR), [], NOW) == [(NOW - HOUR, NOW)]


def test_strip_of_a_lane_that_was_always_there():
    assert strip_of(connected(2 * DAY_SECONDS), [], NOW) == Strip(f"M0 0h{PARTS}v10h-{PARTS}z", "1 d 0 h")


def test_strip_of_a_lane_that_was_never_there():
    assert strip_of(OFFLINE, [], NOW) == Strip("", "")
    assert strip_of(OFFLINE, [closed(DAY_SECONDS + 1, HOUR)], NOW) == Strip("", "")


def test_strip_of_an_hour_in_the_middle():
    assert strip_of(OFFLINE, [closed(12 * HOUR, HOUR)], NOW) == Strip("M132 0h12v10h-12z", "1 h 0 min")


@pytest.mark.parametrize("ago", [0.0, 1.0, 12 * HOUR, DAY_SECONDS - 2])
def test_strip_shows_a_second_too(ago: float):
    assert strip_of(OFFLINE, [closed(ago, 1.0)], NOW).path.endswith(" 0h1v10h-1z")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.9, ""), (1.0, "under 1 min"), (119.0, "1 min"), (3661.0, "1 h 1 min"), (DAY_SECONDS, "1 d 0 h")],
)
def test_share_of_a_day(seconds: float, said: str):
    assert share_of(seconds) == said


def test_path_joins_what_is_side_by_side():
    assert path_of({3, 1, 2, 7}) == "M1 0h3v10h-3zM7 0h1v10h-1z"
    assert path_of(set()) == ""
