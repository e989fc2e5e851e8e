"""Lanes and stores as they are shown, of what was found in Redis; pure."""

from __future__ import annotations

from streams.roster.reading.lanes import Lane, LaneState, Store
from streams.roster.reading.states import LaneNow, Summary, View
from streams.wire.timestamps import iso


def lane_of(lane: LaneNow, view: View) -> Lane:
    """Return a lane as it is shown."""
    entry, ended = lane.entry, lane.ended
    beat = view.pods.get(entry.life) if entry else None
    return Lane(
        lane.name,
        lane.state,
        expected=lane.expected,
        pod_name=(beat.pod_name if beat else "") or ended.pod_name or None,
        life=entry.life if entry else None,
        since=moment(lane.since),
        last_seen_at=moment(ended.at),
        last_reason=ended.reason or None,
        missing_since=moment(lane.away) if lane.state is LaneState.MISSING else None,
    )


def store_of_summary(store: str, summary: Summary) -> Store:
    """Return a store as it is shown."""
    return Store(
        store,
        summary.state,
        lanes=summary.lanes,
        expected=summary.expected,
        connected=summary.connected,
        offline=summary.offline,
        unknown=summary.unknown,
        missing=summary.missing_named,
        dark_since=moment(summary.dark_since),
    )


def moment(ms: int) -> str | None:
    """Write a moment as it is shown."""
    return iso(ms / 1000) if ms else None
