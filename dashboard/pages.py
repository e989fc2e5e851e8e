"""What each page shows: the same content for its template and for the stream that keeps it live.

Content is made of strings only, already written for people, so that a page's script
has nothing to do but put each in its place as text.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from dashboard import formats
from dashboard.events import recent_events
from dashboard.plots import plot
from dashboard.sampler import SAMPLES_KEPT, Sample, Sampler
from dashboard.tables import View, select
from dashboard.verdict import REASONS, judge
from streams.errors import CloseReason
from streams.registry import Connection, ConnectionEnd
from streams.worker import Worker

ENDS_SHOWN = 12

# A row's key, then its cells.
Row = list[str]


@dataclass(slots=True)
class Content:
    """Texts by place, plot points by figure, rows by table, and which optional parts are shown."""

    texts: dict[str, str] = field(default_factory=dict)
    points: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    shown: dict[str, bool] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON and templates take."""
        return asdict(self)


class PodPage(NamedTuple):
    """The dashboard, with one view of its table."""

    view: View

    def content(self, worker: Worker) -> Content:
        """Return the table, which is this view's own; the rest is pod_content()."""
        selection = select(worker.registry, self.view)
        now = time.time()
        total = len(worker.registry)
        found = formats.count(selection.matched)
        of_total = "" if selection.matched == total else f" of {formats.count(total)}"
        return Content(
            texts={
                "matched": f"{found}{of_total} connection{'' if total == 1 else 's'}",
                "page": f"Page {selection.page} of {selection.pages}",
            },
            rows={"connections": [connection_row(connection, now) for connection in selection.connections]},
            shown={
                "no_match": total > 0 and not selection.matched,
                "no_connection": total == 0,
                "previous": selection.page > 1,
                "next": selection.page < selection.pages,
            },
        )


class ClientPage(NamedTuple):
    """The page of one client."""

    name: str

    def content(self, worker: Worker) -> Content:
        """Return the client's state, its ends and, where the pod remembers them, its events."""
        connection = worker.registry.get(self.name)
        now = time.time()
        ends = [end for end in reversed(worker.registry.ended) if end.client_name == self.name]
        content = Content(
            rows={"ends": [end_row(end) for end in ends[:ENDS_SHOWN]]},
            shown={"connected": connection is not None, "no_end": not ends},
            levels={"client": "good" if connection else "quiet"},
        )
        if connection is None:
            content.texts["headline"] = f"Not connected to this pod ({worker.conf.pod_name})."
        else:
            content.texts.update(connection_texts(connection, now))
        events = recent_events(worker, self.name)
        if events is not None:
            content.rows["events"] = [list(event) for event in events]
            content.shown["no_event"] = not events
        return content


def connection_texts(connection: Connection, now: float) -> dict[str, str]:
    """Describe an open connection in full."""
    snapshot = connection.snapshot()
    uptime = formats.duration(now - snapshot.connected_at)
    return {
        "headline": f"Connected for {uptime}.",
        "since": f"{formats.moment(snapshot.connected_at)} UTC",
        "activity": f"{formats.moment(snapshot.last_activity)} UTC, {formats.ago(now - snapshot.last_activity)}",
        "event_count": formats.count(snapshot.event_count),
        "written": formats.size(snapshot.bytes_written),
        "backlog": formats.size(snapshot.backlog_bytes),
        "address": snapshot.address or "unknown",
    }


def pod_content(worker: Worker, sampler: Sampler) -> Content:
    """Return what every view of the dashboard shares."""
    verdict = judge(worker, sampler)
    lately, closed = sampler.closed_lately(), worker.registry.closed
    content = Content(
        texts={
            "headline": verdict.headline,
            "uptime": formats.duration(time.time() - worker.started_at),
            "redis": redis_text(worker),
            **figures(worker, sampler.samples),
        },
        points=points(sampler.samples),
        rows={
            "notices": [[notice, notice] for notice in verdict.notices],
            "closes": [
                [reason, reason, formats.count(lately[reason]), formats.count(closed[reason]), REASONS[reason]]
                for reason in CloseReason
                if closed[reason]
            ],
            "ends": [end_row(end) for end in itertools.islice(reversed(worker.registry.ended), ENDS_SHOWN)],
        },
        levels={"pod": verdict.level},
    )
    content.shown["no_close"] = not content.rows["closes"]
    return content


def redis_text(worker: Worker) -> str:
    """Say whether the pod hears its channel, and where."""
    conf = worker.conf
    port = f":{conf.redis_port}" if conf.redis_port else ""
    state = "connected" if worker.subscriber.subscribed else "not connected"
    return f"{state}, {conf.redis_channel} on {conf.redis_host}{port}"


def figures(worker: Worker, samples: Iterable[Sample]) -> dict[str, str]:
    """Write the present figures and the peaks of the last minutes."""
    kept = list(samples)
    latest = kept[-1] if kept else Sample(0, 0, 0, 0)
    peak = Sample(*(max(column) for column in zip(*kept, strict=True))) if kept else latest
    registry, router = worker.registry, worker.router
    return {
        "connections": formats.count(len(registry)),
        "connections_note": f"peak {formats.count(peak.connections)}, {formats.count(registry.opened)} since the start",
        "received": formats.rate(latest.received_per_second),
        "received_note": f"peak {formats.rate(peak.received_per_second)}/s, {formats.count(router.received)} in all",
        "delivered": formats.rate(latest.delivered_per_second),
        "delivered_note": f"peak {formats.rate(peak.delivered_per_second)}/s, {formats.count(router.delivered)} in all",
        "backlog": formats.size(registry.backlog_bytes()),
        "backlog_note": f"peak {formats.size(peak.backlog_bytes)}, waiting for clients",
    }


def points(samples: Iterable[Sample]) -> dict[str, str]:
    """Draw the plots: `<figure>_line` and `<figure>_area`."""
    kept = list(samples)
    columns: dict[str, list[float]] = {
        "connections": [sample.connections for sample in kept],
        "received": [sample.received_per_second for sample in kept],
        "delivered": [sample.delivered_per_second for sample in kept],
        "backlog": [sample.backlog_bytes for sample in kept],
    }
    drawn: dict[str, str] = {}
    for name, values in columns.items():
        drawn[f"{name}_line"], drawn[f"{name}_area"] = plot(values, SAMPLES_KEPT)
    return drawn


def connection_row(connection: Connection, now: float) -> Row:
    """Write one row of the table of connections."""
    snapshot = connection.snapshot()
    return [
        snapshot.client_name,
        snapshot.client_name,
        formats.moment(snapshot.connected_at),
        formats.ago(now - snapshot.last_activity),
        formats.count(snapshot.event_count),
        formats.size(snapshot.backlog_bytes),
        snapshot.address,
    ]


def end_row(end: ConnectionEnd) -> Row:
    """Write one row of the table of ends."""
    return [
        f"{end.client_name}@{end.ended_at}",
        end.client_name,
        formats.clock(end.ended_at),
        end.reason.value,
        formats.duration(end.ended_at - end.connected_at),
        formats.count(end.event_count),
        end.address,
        formats.moment(end.ended_at),
    ]
