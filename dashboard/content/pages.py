"""What each page shows: the same content for its template and for the stream that keeps it live.

Content is made of strings only, already written for people, so that a page's script
has nothing to do but put each in its place as text. A time is an ISO time: how long ago
that was changes by itself.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from dashboard.content import formats
from dashboard.content.events import recent_events
from dashboard.content.figures import figures, points, redis_text
from dashboard.content.sampler import Sampler
from dashboard.content.verdict import judge
from streams.delivery.connection import Connection
from streams.delivery.turnover import ConnectionEnd
from streams.errors import CloseReason
from streams.http.listing import Roster, View
from streams.pod import Pod
from streams.wire.timestamps import iso

ENDS_SHOWN = 12
NO_USER_AGENT = "not told"

# A row's key, then its cells.
Row = list[str]


@dataclass(slots=True)
class Content:
    """Texts by place, plot points by figure, rows by table, which optional parts are shown, and links by place."""

    texts: dict[str, str] = field(default_factory=dict)
    points: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    shown: dict[str, bool] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON and templates take."""
        return asdict(self)


class PodPage(NamedTuple):
    """The dashboard, with one view of its table."""

    view: View

    def content(self, pod: Pod, roster: Roster) -> Content:
        """Return the table, which is this view's own; the rest is pod_content()."""
        selection = roster.select(self.view)
        total = len(pod.registry)
        found = formats.count(selection.matched)
        of_total = "" if selection.matched == total else f" of {formats.count(total)}"
        return Content(
            texts={
                "matched": f"{found}{of_total} connection{'' if total == 1 else 's'}",
                "page": f"Page {selection.page} of {selection.pages}",
            },
            rows={"connections": [connection_row(connection) for connection in selection.connections]},
            shown={
                "no_match": total > 0 and not selection.matched,
                "no_connection": total == 0,
                "pages": selection.pages > 1,
                "previous": selection.page > 1,
                "next": selection.page < selection.pages,
            },
        )


def client_content(name: str, pod: Pod) -> Content:
    """Return what this pod knows of a client: its connection, its ends and, where remembered, its events."""
    connection = pod.registry.get(name)
    ends = [end for end in reversed(pod.registry.turnover.ended) if end.client_name == name]
    content = Content(
        texts=connection_texts(connection) if connection else {},
        rows={"ends": [end_row(end) for end in ends[:ENDS_SHOWN]]},
        shown={"connected": connection is not None, "elsewhere": connection is None, "no_end": not ends},
    )
    events = recent_events(pod, name)
    if events is not None:
        content.rows["events"] = [list(event) for event in events]
        content.shown["no_event"] = not events
    return content


def connection_texts(connection: Connection) -> dict[str, str]:
    """Describe an open connection in full."""
    snapshot = connection.snapshot(time.monotonic())
    return {
        "since": iso(snapshot.connected_at),
        "activity": iso(snapshot.last_activity),
        "event_count": formats.count(snapshot.event_count),
        "written": formats.size(snapshot.bytes_written),
        "backlog": formats.size(snapshot.backlog_bytes),
        "address": snapshot.address or "unknown",
        "user_agent": snapshot.user_agent or NO_USER_AGENT,
    }


def pod_content(pod: Pod, sampler: Sampler) -> Content:
    """Return what every view of the dashboard shares."""
    verdict = judge(pod, sampler)
    lately, closed = sampler.closed_lately(), pod.registry.turnover.closed
    content = Content(
        texts={
            "headline": verdict.headline,
            "uptime": formats.duration(pod.uptime_seconds),
            "redis": redis_text(pod),
            **figures(pod, sampler.samples),
        },
        points=points(sampler.samples),
        rows={
            "notices": [[notice, notice] for notice in verdict.notices],
            "closes": [
                [reason, reason, formats.count(lately[reason]), formats.count(closed[reason]), reason.sentence]
                for reason in CloseReason
                if closed[reason]
            ],
            "ends": [end_row(end) for end in itertools.islice(reversed(pod.registry.turnover.ended), ENDS_SHOWN)],
        },
        levels={"pod": verdict.level},
    )
    content.shown["no_close"] = not content.rows["closes"]
    return content


def connection_row(connection: Connection) -> Row:
    """Write one row of the table of connections."""
    snapshot = connection.snapshot(time.monotonic())
    return [
        snapshot.client_name,
        snapshot.client_name,
        iso(snapshot.connected_at),
        iso(snapshot.last_activity),
        formats.count(snapshot.event_count),
        formats.size(snapshot.backlog_bytes),
        snapshot.address,
    ]


def end_row(end: ConnectionEnd) -> Row:
    """Write one row of the table of ends."""
    return [
        f"{end.client_name}@{end.ended_at}",
        end.client_name,
        iso(end.ended_at),
        end.reason.value,
        formats.duration(end.open_seconds),
        formats.count(end.event_count),
        end.address,
        formats.brief(end.open_seconds),
        end.user_agent or NO_USER_AGENT,
    ]
