"""The figures of a pod and their plots, written for people."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.content import formats
from dashboard.content.plots import plot
from dashboard.content.sampler import SAMPLES_KEPT, Sample
from streams.pod import Pod


def redis_text(pod: Pod) -> str:
    """Say whether the pod hears its channel, and where."""
    conf = pod.conf
    port = f":{conf.redis_port}" if conf.redis_port else ""
    state = "connected" if pod.subscriber.subscribed else "not connected"
    return f"{state}, {conf.redis_channel} on {conf.redis_host}{port}"


def figures(pod: Pod, samples: Sequence[Sample]) -> dict[str, str]:
    """Write the present figures and the peaks of the last minutes."""
    latest = samples[-1] if samples else Sample(0, 0, 0, 0)
    peak = Sample(*(max(column) for column in zip(*samples, strict=True))) if samples else latest
    registry, router = pod.registry, pod.router
    opened = formats.count(registry.turnover.opened)
    return {
        "connections": formats.count(len(registry)),
        "connections_note": f"peak {formats.count(peak.connections)}, {opened} since the start",
        "received": formats.rate(latest.received_per_second),
        "received_note": f"peak {formats.rate(peak.received_per_second)}/s, {formats.count(router.received)} in all",
        "delivered": formats.rate(latest.delivered_per_second),
        "delivered_note": f"peak {formats.rate(peak.delivered_per_second)}/s, {formats.count(router.delivered)} in all",
        "backlog": formats.size(registry.outbox.backlog_bytes()),
        "backlog_note": f"peak {formats.size(peak.backlog_bytes)}, not yet taken by clients",
    }


def points(samples: Sequence[Sample]) -> dict[str, str]:
    """Draw the plots: `<figure>_line` and `<figure>_area`."""
    columns: dict[str, list[float]] = {
        "connections": [sample.connections for sample in samples],
        "received": [sample.received_per_second for sample in samples],
        "delivered": [sample.delivered_per_second for sample in samples],
        "backlog": [sample.backlog_bytes for sample in samples],
    }
    drawn: dict[str, str] = {}
    for name, values in columns.items():
        drawn[f"{name}_line"], drawn[f"{name}_area"] = plot(values, SAMPLES_KEPT)
    return drawn
