"""What a Prometheus scrape reads: each metric declared once, and collected only when asked for.

`make docs` writes docs/reference/metrics.md from these declarations.
"""

from __future__ import annotations

import contextlib
import platform
import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import django
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streams import VERSION
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.log_sink import dropped_lines
from streams.pod import Pod
from streams.vitals import DelayHistogram
from streams.wire.complaints import Fault


class Info(NamedTuple):
    """Texts that stand in labels, each of a label of its own, beside the number 1."""

    texts: Mapping[str, str]


# A number, or one for each value of a label; None where this system does not tell it.
Reading = float | Mapping[str, float] | DelayHistogram | Info | None


class Declared(NamedTuple):
    """One metric. The unit is in its name, of which a counter's lacks the `_total` that is in /metrics."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    read: Callable[[Pod], Reading]
    label: str = ""

    @property
    def exposed(self) -> str:
        """The name that stands in /metrics."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _closes(pod: Pod) -> Mapping[str, float]:
    return {reason.value: pod.registry.turnover.closed[reason] for reason in CloseReason}


def _gaps(pod: Pod) -> Mapping[str, float]:
    return {reason.value: pod.router.gaps[reason] for reason in GapReason}


def _counted(fault: Fault) -> Callable[[Pod], float]:
    return lambda pod: pod.router.complaints.counts[fault]


def _build(_pod: Pod) -> Info:
    return Info({"version": VERSION, "python": platform.python_version(), "django": django.__version__})


def _cpu_seconds(_pod: Pod) -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _resident_bytes(_pod: Pod) -> float | None:
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return None


def _open_files(_pod: Pod) -> float | None:
    # Linux 6.2 and later tell the number in one call. Listing 10,000 files stops the loop
    # for 10 ms, so prometheus-client's own collector, which does, is not used.
    with contextlib.suppress(OSError):
        return Path("/proc/self/fd").stat().st_size or sum(1 for _ in Path("/proc/self/fd").iterdir())
    return None


METRICS = (
    Declared(
        "sse_build_info",
        "gauge",
        "Always 1; its labels tell pods of two versions apart while they are rolled out.",
        _build,
        "version, python, django",
    ),
    Declared("sse_connections", "gauge", "Open connections.", lambda pod: len(pod.registry)),
    Declared("sse_connects", "counter", "Connections that were opened.", lambda pod: pod.registry.turnover.opened),
    Declared("sse_closes", "counter", "Connections that ended or were refused, by close reason.", _closes, "reason"),
    Declared(
        "sse_events_received",
        "counter",
        "Messages received on the channel and read from the journal; grows alike on every pod.",
        lambda pod: pod.router.received,
    ),
    Declared(
        "sse_events_delivered", "counter", "Events written to a client of this pod.", lambda pod: pod.router.delivered
    ),
    Declared(
        "sse_events_foreign",
        "counter",
        "Events for clients that are not on this pod, or that wait for their first frame; normal.",
        lambda pod: pod.router.foreign,
    ),
    Declared(
        "sse_events_unusable",
        "counter",
        "Messages that no client can be sent; the log says why.",
        _counted(Fault.UNUSABLE),
    ),
    Declared(
        "sse_events_misnamed",
        "counter",
        "Events that were skipped because their clientName breaks the rule; the log says how.",
        _counted(Fault.MISNAMED),
    ),
    Declared(
        "sse_deadlines_unreadable",
        "counter",
        "Events whose deadline cannot be read, which are delivered without; the log says what is wrong with it.",
        _counted(Fault.NO_DEADLINE),
    ),
    Declared(
        "sse_events_expired",
        "counter",
        "Events not written because their deadline had passed, when received or when replayed.",
        lambda pod: pod.router.expired,
    ),
    Declared(
        "sse_events_repeated",
        "counter",
        "Events that were published again, byte for byte, and not written again to clients that have them.",
        lambda pod: pod.router.repeated,
    ),
    Declared(
        "sse_event_ids_reused",
        "counter",
        "Events written though another event of the same client has the same eventId; the log names it.",
        _counted(Fault.REUSED_ID),
    ),
    Declared(
        "sse_events_replayed",
        "counter",
        "Events written again to clients that came back, and those that came meanwhile and went behind them.",
        lambda pod: pod.router.replayed,
    ),
    Declared(
        "sse_history_events", "gauge", "Events remembered for replays.", lambda pod: pod.history.statistics().events
    ),
    Declared(
        "sse_history_bytes",
        "gauge",
        "Bytes that remembering them takes; at most HISTORY_BYTES.",
        lambda pod: pod.history.statistics().bytes,
    ),
    Declared(
        "sse_stream_gaps",
        "counter",
        "Times that a client was told that events may be missing, by reason.",
        _gaps,
        "reason",
    ),
    Declared("sse_heartbeats", "counter", "Heartbeats written.", lambda pod: pod.heartbeat.sent),
    Declared(
        "sse_written_bytes",
        "counter",
        "Bytes of frames written to clients, heartbeats included.",
        lambda pod: pod.registry.bytes_total(),
    ),
    Declared(
        "sse_backlog_bytes",
        "gauge",
        "Bytes that wait for clients that do not read fast enough.",
        lambda pod: pod.registry.outbox.backlog_bytes(),
    ),
    Declared(
        "sse_publish_to_write_seconds",
        "histogram",
        "From an event's own timestamp to its write; one event of each read from Redis.",
        lambda pod: pod.router.delays,
    ),
    Declared(
        "sse_redis_subscribed",
        "gauge",
        "1 while the pod is subscribed to the channel.",
        lambda pod: int(pod.subscriber.subscribed),
    ),
    Declared(
        "sse_redis_outages",
        "counter",
        "Times that the subscription was lost.",
        lambda pod: pod.subscriber.outages.count,
    ),
    Declared(
        "sse_redis_deaf_seconds",
        "counter",
        "Seconds without the subscription.",
        lambda pod: pod.subscriber.outages.seconds,
    ),
    Declared(
        "sse_canary_age_seconds",
        "gauge",
        "Since the newest message to itself that came back through Redis was published; high where the pod reads late.",
        lambda pod: pod.ingresses.canary_age_seconds,
    ),
    Declared(
        "sse_pods", "gauge", "Pods that this one hears, itself included.", lambda pod: 1 + pod.ingresses.peers.count
    ),
    Declared(
        "sse_pod_namesakes",
        "gauge",
        "Other pods that have this one's `POD_NAME`; each is to have its own.",
        lambda pod: pod.ingresses.peers.namesakes,
    ),
    Declared("sse_draining", "gauge", "1 while the pod is draining.", lambda pod: int(pod.draining)),
    Declared(
        "sse_loop_lag_seconds",
        "gauge",
        "How late the event loop woke its last sleeper.",
        lambda pod: pod.vitals.loop_lag_seconds,
    ),
    Declared(
        "sse_gc_pause_seconds",
        "counter",
        "Seconds that garbage collections held the event loop.",
        lambda pod: pod.vitals.gc_pause_seconds,
    ),
    Declared(
        "sse_log_lines_dropped",
        "counter",
        "Lines of the log that found no room, because whoever reads it did not keep up.",
        lambda _pod: dropped_lines(),
    ),
    Declared(
        "sse_clock_steps",
        "counter",
        "Times that the machine's clock was set by a second or more, or that the machine slept.",
        lambda pod: pod.vitals.clock_steps,
    ),
    Declared("sse_start_time_seconds", "gauge", "Unix time of the pod's start.", lambda pod: pod.started_at),
    Declared("process_cpu_seconds", "counter", "CPU seconds, user and system.", _cpu_seconds),
    Declared("process_resident_memory_bytes", "gauge", "Resident memory.", _resident_bytes),
    Declared("process_open_fds", "gauge", "Open files and sockets.", _open_files),
    Declared(
        "process_max_fds",
        "gauge",
        "Most files that may be open.",
        lambda _pod: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    ),
    Declared("process_start_time_seconds", "gauge", "Unix time of the process's start.", lambda pod: pod.started_at),
)


class PodCollector(Collector):
    """Reads one pod and its process."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that this system tells."""
        for declared in METRICS:
            reading = declared.read(self._pod)
            if reading is not None:
                yield _family(declared, reading)


def _family(declared: Declared, reading: float | Mapping[str, float] | DelayHistogram | Info) -> Metric:
    if isinstance(reading, Info):
        info = GaugeMetricFamily(declared.name, declared.help, labels=list(reading.texts))
        info.add_metric(list(reading.texts.values()), 1)
        return info
    if isinstance(reading, DelayHistogram):
        histogram = HistogramMetricFamily(declared.name, declared.help)
        histogram.add_metric([], reading.buckets(), reading.sum_seconds)
        return histogram
    family_of = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
    if not isinstance(reading, Mapping):
        return family_of(declared.name, declared.help, value=reading)
    family = family_of(declared.name, declared.help, labels=[declared.label])
    for value, number in reading.items():
        family.add_metric([value], number)
    return family


def render(pod: Pod) -> tuple[bytes, str]:
    """Return the metrics of a pod and of its process, and their content type."""
    registry = CollectorRegistry()
    registry.register(PodCollector(pod))
    return generate_latest(registry), CONTENT_TYPE_LATEST
