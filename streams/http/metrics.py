"""What a Prometheus scrape reads: each metric declared once, and collected only when asked for.

`make docs` writes docs/reference/metrics.md from these declarations.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streams.http.readings import (
    NOT_KNOWN,
    Declared,
    auth_results,
    build,
    closes,
    cpu_seconds,
    family,
    gaps,
    jwks_age,
    jwks_errors,
    of_all,
    open_files,
    resident_bytes,
    roster_errors,
)
from streams.log_sink import dropped_lines
from streams.pod import Pod
from streams.wire.complaints import Fault


def _counted(fault: Fault) -> Callable[[Pod], float]:
    return lambda pod: pod.router.complaints.counts[fault]


METRICS = (
    Declared(
        "sse_build_info",
        "gauge",
        "Always 1; its labels tell pods of two versions apart while they are rolled out.",
        build,
        "version, python, django",
    ),
    Declared("sse_connections", "gauge", "Open connections.", lambda pod: len(pod.registry)),
    Declared("sse_connects", "counter", "Connections that were opened.", lambda pod: pod.registry.turnover.opened),
    Declared("sse_closes", "counter", "Connections that ended or were refused, by close reason.", closes, "reason"),
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
        gaps,
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
    Declared(
        "sse_pods_alive",
        "gauge",
        "Pods that said within 15 s that they live. The same on each pod; nothing while Redis gives no answer.",
        of_all(lambda cluster: cluster.pods_alive),
    ),
    Declared(
        "sse_lanes_missing",
        "gauge",
        "Lanes that are expected and away for MISSING_SECONDS, but for those of dark stores. The same on each pod; "
        "nothing while it is not known.",
        of_all(lambda cluster: cluster.lanes_missing),
    ),
    Declared(
        "sse_stores_dark",
        "gauge",
        "Stores that have expected lanes and none that is connected, as at night. The same on each pod; nothing while "
        "it is not known.",
        of_all(lambda cluster: cluster.stores_dark),
    ),
    Declared(
        "sse_events_unclaimed",
        "counter",
        "Events that no pod delivered within some seconds, since no client was connected to a pod that gives a sign of "
        "life. One pod counts each, so take the sum; none with HISTORY_SECONDS=0.",
        lambda pod: pod.watch.unclaimed,
    ),
    Declared(
        "sse_events_unchecked",
        "counter",
        "Events of which nobody knows whether they are unclaimed: too many clients had some within a second, or a pod "
        "was silent. One pod counts each.",
        lambda pod: pod.watch.unchecked,
    ),
    Declared(
        "sse_roster_errors",
        "counter",
        "Failures of what the pod tells and asks the roster, by what failed; also while Redis is away.",
        roster_errors,
        "part",
    ),
    Declared(
        "sse_trace_entries_lost",
        "counter",
        "Transitions and events of clients that are in no trace, since Redis was away for long or refused them.",
        lambda pod: pod.roster.tracer.recorder.lost + pod.roster.tracer.refused,
    ),
    Declared(
        "sse_auth",
        "counter",
        "Requests to pass a lock that is not off, by how it was decided and what the lock does.",
        auth_results,
        "result, mode",
    ),
    Declared(
        "sse_jwks_age_seconds",
        "gauge",
        "Since good keys were read from `TOKEN_JWKS_URL`, or the pod started; nothing without one.",
        jwks_age,
    ),
    Declared(
        "sse_jwks_interval_seconds",
        "gauge",
        "How often `TOKEN_JWKS_URL` is read; nothing without one.",
        lambda pod: pod.conf.token_jwks_seconds if pod.conf.token_jwks_url else NOT_KNOWN,
    ),
    Declared("sse_jwks_errors", "counter", "Times that `TOKEN_JWKS_URL` gave no good keys.", jwks_errors),
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
    Declared("process_cpu_seconds", "counter", "CPU seconds, user and system.", cpu_seconds),
    Declared("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes),
    Declared("process_open_fds", "gauge", "Open files and sockets.", open_files),
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
                yield family(declared, reading)


def render(pod: Pod) -> tuple[bytes, str]:
    """Return the metrics of a pod and of its process, and their content type."""
    registry = CollectorRegistry()
    registry.register(PodCollector(pod))
    return generate_latest(registry), CONTENT_TYPE_LATEST
