"""What a Prometheus scrape reads: the pod's plain counters, collected only when asked for."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.pod import Worker


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
        delays = self._worker.router.delays
        text = "From an event's own timestamp to its write; one event of each read from Redis."
        histogram = HistogramMetricFamily("sse_publish_to_write_seconds", text)
        histogram.add_metric([], delays.buckets(), delays.sum_seconds)
        yield histogram

    def _gauges(self) -> Iterator[Metric]:
        worker = self._worker
        gauges = {
            "sse_connections": ("Open connections.", len(worker.registry)),
            "sse_backlog_bytes": ("Bytes that wait for clients.", worker.registry.outbox.backlog_bytes()),
            "sse_redis_subscribed": ("1 while the pod hears the channel.", int(worker.subscriber.subscribed)),
            "sse_canary_age_seconds": (
                "Age of its newest message that came back.",
                worker.ingresses.canary_age_seconds,
            ),
            "sse_history_events": ("Events remembered for replays.", worker.history.statistics().events),
            "sse_history_bytes": ("Bytes that remembering them takes.", worker.history.statistics().bytes),
            "sse_loop_lag_seconds": ("How late the event loop woke its last sleeper.", worker.vitals.loop_lag_seconds),
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
            "sse_gc_pause_seconds": (
                "Seconds that garbage collections took.",
                worker.vitals.gc_pause_seconds,
            ),
            "sse_redis_deaf_seconds": ("Seconds without the subscription.", subscriber.disconnected_seconds),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(name, text, value=value)


class ProcessCollector(Collector):
    """Yields what prometheus-client's own collector does, without listing every open file.

    With 10,000 connections the listing alone stops the event loop for 10 ms; Linux 6.2
    and later tell the number in one call.
    """

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of this process."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_seconds = usage.ru_utime + usage.ru_stime
        yield CounterMetricFamily("process_cpu_seconds", "CPU seconds, user and system.", value=cpu_seconds)
        gauges = {
            "process_start_time_seconds": ("Unix time of the process's start.", self._started_at),
            "process_max_fds": ("Most files that may be open.", resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        }
        with contextlib.suppress(OSError):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            files = Path("/proc/self/fd").stat().st_size or sum(1 for _ in Path("/proc/self/fd").iterdir())
            gauges["process_resident_memory_bytes"] = ("Resident memory.", pages * resource.getpagesize())
            gauges["process_open_fds"] = ("Open files and sockets.", files)
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value=value)


def render(worker: Worker) -> tuple[bytes, str]:
    """Return the metrics of a worker and of its process, and their content type."""
    registry = CollectorRegistry()
    registry.register(PodCollector(worker))
    registry.register(ProcessCollector(worker.started_at))
    return generate_latest(registry), CONTENT_TYPE_LATEST
