"""How a metric is declared and read: what is more than an attribute of the pod, and what Prometheus is told."""

from __future__ import annotations

import contextlib
import platform
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import django
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from streams import VERSION
from streams.auth.results import Result
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.pod import Pod
from streams.roster.lives import Cluster
from streams.vitals import DelayHistogram


class Info(NamedTuple):
    """Texts that stand in labels, each of a label of its own, beside the number 1."""

    texts: Mapping[str, str]


# A number for each value of a label, or for each of several labels' values.
Labelled = Mapping[str, float] | Mapping[tuple[str, ...], float]
# A number, or some with labels; None where this system does not tell it.
Reading = float | Labelled | DelayHistogram | Info | None
# What nobody knows now has no line at all: an alert would take any number for one.
NOT_KNOWN: Mapping[str, float] = {}


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


def family(declared: Declared, reading: float | Labelled | DelayHistogram | Info) -> Metric:
    """Return a metric as the client library writes it."""
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
    labelled = family_of(declared.name, declared.help, labels=declared.label.split(", "))
    for values, number in reading.items():
        labelled.add_metric([values] if isinstance(values, str) else list(values), number)
    return labelled


def closes(pod: Pod) -> Mapping[str, float]:
    """Return how many connections ended, by reason."""
    return {reason.value: pod.registry.turnover.closed[reason] for reason in CloseReason}


def gaps(pod: Pod) -> Mapping[str, float]:
    """Return how many gaps clients were told of, by reason."""
    return {reason.value: pod.router.gaps[reason] for reason in GapReason}


def of_all(read: Callable[[Cluster], int | None]) -> Callable[[Pod], Reading]:
    """Read a number that every pod knows of the whole cluster, where it does."""

    def known(pod: Pod) -> Reading:
        number = read(pod.roster.cluster)
        return NOT_KNOWN if number is None else number

    return known


def auth_results(pod: Pod) -> Mapping[tuple[str, ...], float]:
    """Return how requests to pass the locks that are not off were decided."""
    locks = pod.locks
    return {(result.value, mode.value): locks.counts[result, mode] for mode in sorted(locks.modes) for result in Result}


def jwks_age(pod: Pod) -> Reading:
    """Return how old the keys of an issuer are, where there is one."""
    age = pod.guard.sources.jwks_age_seconds
    return NOT_KNOWN if age is None else age


def jwks_errors(pod: Pod) -> float:
    """Return how often they could not be read."""
    jwks = pod.guard.sources.jwks
    return 0 if jwks is None else jwks.errors


def roster_errors(pod: Pod) -> Mapping[str, float]:
    """Return how often each part of what the pod does with the roster failed."""
    return {
        "claims": pod.roster.errors,
        "members": pod.roster.members.errors,
        "recorder": pod.roster.tracer.errors,
        "tally": pod.tally.errors,
        "unclaimed": pod.watch.errors,
    }


def build(_pod: Pod) -> Info:
    """Return what runs here."""
    return Info({"version": VERSION, "python": platform.python_version(), "django": django.__version__})


def cpu_seconds(_pod: Pod) -> float:
    """Return what this process has used of the CPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_bytes(_pod: Pod) -> float | None:
    """Return the memory that this process has, where the system tells it."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return None


def open_files(_pod: Pod) -> float | None:
    """Return how many files and sockets this process has open, where the system tells it."""
    # Linux 6.2 and later tell the number in one call. Listing 10,000 files stops the loop
    # for 10 ms, so prometheus-client's own collector, which does, is not used.
    with contextlib.suppress(OSError):
        return Path("/proc/self/fd").stat().st_size or sum(1 for _ in Path("/proc/self/fd").iterdir())
    return None
