"""When a lane was connected in the last 24 hours, as its trace has it, drawn as a strip; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dashboard.content import formats
from streams.roster.reading.lanes import Lane, LaneState
from streams.roster.tracing.entries import ENDS, TraceEntry
from streams.wire.timestamps import unix_seconds

DAY_SECONDS = 86_400.0
# Five minutes each.
PARTS = 288
HEIGHT = 10


class Strip(NamedTuple):
    """The `d` of an SVG path in a box of PARTS by HEIGHT, and how much of the day that is, in words."""

    path: str
    share: str


def strip_of(lane: Lane, entries: Iterable[TraceEntry], now: float) -> Strip:
    """Draw a lane's strip; `now` is Unix time. What was not recorded looks like not connected."""
    spans = [(start, end) for start, end in spans_of(lane, entries, now) if end > now - DAY_SECONDS]
    shown: set[int] = set()
    for start, end in spans:
        # Short ones are shown too.
        first = min(PARTS - 1, max(0, int((start - now + DAY_SECONDS) / DAY_SECONDS * PARTS)))
        last = min(PARTS, max(first + 1, round((end - now + DAY_SECONDS) / DAY_SECONDS * PARTS)))
        shown.update(range(first, last))
    seconds = sum(min(end, now) - max(start, now - DAY_SECONDS) for start, end in spans)
    return Strip(path_of(shown), share_of(min(DAY_SECONDS, seconds)))


def share_of(seconds: float) -> str:
    """Write a part of a day, in minutes: a quiet table stays still."""
    if seconds < 1:
        return ""
    if seconds < formats.HOUR:
        return f"{seconds // formats.MINUTE:.0f} min" if seconds >= formats.MINUTE else "under 1 min"
    return formats.duration(seconds)


def spans_of(lane: Lane, entries: Iterable[TraceEntry], now: float) -> list[tuple[float, float]]:
    """Return from when until when a lane was connected, each end with its beginning."""
    spans = []
    for entry in entries:
        at = unix_seconds(entry.at)
        if entry.kind in ENDS and entry.stream and entry.seconds is not None and at is not None:
            spans.append((at - entry.seconds, at))
    since = unix_seconds(lane.since)
    if lane.state is LaneState.CONNECTED and since is not None:
        spans.append((since, now))
    return spans


def path_of(shown: set[int]) -> str:
    """Draw parts as rectangles, those side by side as one."""
    drawn: list[str] = []
    for first in sorted(part for part in shown if part - 1 not in shown):
        last = first
        while last + 1 in shown:
            last += 1
        drawn.append(f"M{first} 0h{last + 1 - first}v{HEIGHT}h-{last + 1 - first}z")
    return "".join(drawn)
