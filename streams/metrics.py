"""What a Prometheus scrape reads: the pod's plain counters, collected only when asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from streams.errors import CloseReason
from streams.history import GapReason
from streams.worker import Worker


class PodCollector(Collector):
    """Reads one worker's counters."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the pod."""
        yield from self._gauges()
        yield from self._counters()
        closes = CounterMetricFamily("sse_closes", "Connections that ended, by close reason.", labels=["reason"])
        for reason in CloseReason:
            closes.add_metric([reason.value], self._worker.registry.closed[reason])
        yield closes
        gaps = CounterMetricFamily("sse_stream_gaps", "Gaps that clients were told of, by reason.", labels=["reason"])
        for gap_reason in GapReason:
            gaps.add_metric([gap_reason.value], self._worker.router.gaps[gap_reason])
        yield gaps

    def _gauges(self) -> Iterator[Metric]:
        worker = self._worker
        snapshots = worker.registry.snapshots()
        gauges = {
            "sse_connections": ("Open connections.", len(snapshots)),
            "sse_backlog_bytes": ("Bytes that wait for clients.", sum(s.backlog_bytes for s in snapshots)),
            "sse_redis_subscribed": ("1 while the pod hears the channel.", int(worker.subscriber.subscribed)),
            "sse_canary_age_seconds": ("Seconds since the pod last heard itself.", worker.link.canary.age_seconds),
            "sse_history_events": ("Events remembered for replays.", worker.history.statistics().events),
            "sse_history_bytes": ("Bytes that remembering them takes.", worker.history.statistics().bytes),
            "sse_draining": ("1 while the pod is draining.", int(worker.draining)),
            "sse_start_time_seconds": ("Unix time of the pod's start.", worker.started_at),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value=value)

    def _counters(self) -> Iterator[Metric]:
        worker = self._worker
        registry, router, subscriber = worker.registry, worker.router, worker.subscriber
        counters = {
            "sse_connects": ("Connections that were opened.", registry.opened),
            "sse_events_received": ("Messages heard on the channel.", router.received),
            "sse_events_delivered": ("Events written to a client of this pod.", router.delivered),
            "sse_events_foreign": ("Events for clients that are not on this pod.", router.foreign),
            "sse_events_expired": ("Events not written because their deadline had passed.", router.expired),
            "sse_events_replayed": ("Events written again to clients that came back.", router.replayed),
            "sse_events_unusable": ("Messages that no client can be sent.", router.unusable),
            "sse_heartbeats": ("Heartbeats written.", worker.heartbeat.sent),
            "sse_written_bytes": ("Bytes of frames written to clients.", registry.bytes_total()),
            "sse_redis_outages": ("Times that the subscription was lost.", subscriber.outages),
            "sse_redis_deaf_seconds": ("Seconds without the subscription.", subscriber.deaf_seconds),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(name, text, value=value)


def render(worker: Worker) -> tuple[bytes, str]:
    """Return the metrics of a worker and of its process, and their content type."""
    registry = CollectorRegistry()
    registry.register(PodCollector(worker))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
