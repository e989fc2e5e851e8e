"""What each server is put through, and which figures are taken from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from loadtest.plan import Plan
from loadtest.result import Result

# The results of one server: those of every run, by the name of the workload.
Results = Mapping[str, list[Result]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One load test; `only` names the servers that it is for, by their keys.

    With `apart`, other cores than the server's do what the clients' kernels do.
    """

    name: str
    title: str
    plan: Plan
    only: str = "abcd"
    apart: bool = False

    def quick(self) -> Workload:
        """Make it small: to see whether everything works, not to measure."""
        plan = self.plan
        rate = plan.rate and plan.rate / 10
        connections = max(100, plan.connections // 20)
        # No more events on their way for each connection than in the full run: a server
        # that writes several frames at once would look cheaper than it is.
        window = max(1, plan.window * connections // plan.connections)
        small = replace(plan, connections=connections, rate=rate, seconds=2.0, window=window)
        return replace(self, plan=small)


# So many events on their way that every server is busy all the time: with 2,000, hardly two
# for each client, it waited for this tool and Redis for a tenth of its time.
SATURATION_WINDOW = 8000
# The same work for few connections and for many.
SELDOM_RATE = 4_000
OFTEN_RATE = 20_000
FEW, MANY = 1_000, 19_000
APART = ", clients' packets on other cores"


def scaling(word: str, rate: int, seconds: int, *, apart: bool = False) -> tuple[Workload, ...]:
    """Make the two workloads that show what an event costs among few connections and among many.

    They come one after the other, so that a slow moment of the machine is one for both.
    """
    return tuple(
        Workload(
            f"{name}-{word}",
            f"{connections:,} connections at {rate:,} events a second{APART if apart else ''}",
            Plan(connections=connections, rate=rate, seconds=seconds),
            only="abc",
            apart=apart,
        )
        for name, connections in (("few", FEW), ("many", MANY))
    )


WORKLOADS = (
    Workload("idle", "10,000 idle connections", Plan(connections=10_000, rate=0, seconds=1)),
    Workload(
        "steady",
        "10,000 connections at 10,000 events a second",
        Plan(connections=10_000, rate=10_000, seconds=10),
    ),
    Workload(
        "saturation",
        "1,000 connections at saturation",
        Plan(connections=1000, rate=None, window=SATURATION_WINDOW, seconds=8),
    ),
    Workload(
        "foreign",
        "50,000 events a second, 99% of them for clients elsewhere",
        Plan(connections=1000, rate=50_000, foreign=0.99, seconds=8),
    ),
    Workload(
        "reconnect",
        "10,000 clients drop and come back at once",
        Plan(connections=10_000, rate=5000, seconds=2, reconnect=True),
    ),
    *scaling("seldom", SELDOM_RATE, 16),
    *scaling("often", OFTEN_RATE, 8),
    *scaling("apart", OFTEN_RATE, 8, apart=True),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Where the figures of a row are read, one for each run, and of which workloads."""

    workloads: tuple[str, ...]
    read: Callable[[Results], list[float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    The targets are ratios to the reference, for servers a and b: at most, or, where
    more is better, at least.
    """

    title: str
    figures: Figures
    digits: int = 1
    more_is_better: bool = False
    targets: Mapping[str, float] | None = None
    # Whether dividing it by the reference's says anything.
    has_ratio: bool = True

    def value(self, results: Results) -> float | None:
        """Give the median over all runs, None when there is none."""
        values = self.figures.read(results)
        return median(values) if values else None

    def meets(self, key: str, ratio: float) -> bool | None:
        """Say whether a ratio reaches the target, None without a target."""
        if not self.targets or key not in self.targets:
            return None
        return ratio >= self.targets[key] if self.more_is_better else ratio <= self.targets[key]


def figures(workload: str, figure: Callable[[Result], float | None]) -> Figures:
    """Read one figure from all runs of a workload."""

    def read(results: Results) -> list[float]:
        found = (figure(result) for result in results.get(workload, ()))
        return [value for value in found if value is not None]

    return Figures((workload,), read)


def foreign_microseconds(results: Results) -> list[float]:
    """Read the CPU per foreign event.

    The delivered hundredth is taken off at what a delivered event costs the same
    server at saturation.
    """
    delivered = figures("saturation", lambda result: result.cpu_event_microseconds).read(results)
    cost = median(delivered) if delivered else 0.0
    return [
        (result.cpu_seconds * 1e6 - result.read * cost) / result.published_foreign
        for result in results.get("foreign", ())
        if result.cpu_seconds is not None and result.published_foreign
    ]


def growth_percent(word: str) -> Figures:
    """Read by how much an event is dearer among many connections than among few."""
    few, many = (figures(f"{name}-{word}", lambda result: result.cpu_event_microseconds) for name in ("few", "many"))

    def read(results: Results) -> list[float]:
        return [(more / less - 1) * 100 for less, more in zip(few.read(results), many.read(results), strict=False)]

    return Figures((*few.workloads, *many.workloads), read)


def scaling_metrics(word: str, rate: int, remark: str = "") -> tuple[Metric, ...]:
    """Make the rows that compare few connections with many at one rate."""
    title = f"at {rate:,} events/s{remark}"
    return (
        *(
            Metric(
                f"CPU per event, {connections:,} connections {title}, µs",
                figures(f"{name}-{word}", lambda result: result.cpu_event_microseconds),
            )
            for name, connections in (("few", FEW), ("many", MANY))
        ),
        Metric(
            f"growth from {FEW:,} to {MANY:,} connections {title}, %",
            growth_percent(word),
            digits=0,
            has_ratio=False,
        ),
    )


METRICS = (
    Metric(
        "CPU per delivered event at saturation, µs",
        figures("saturation", lambda result: result.cpu_event_microseconds),
        targets={"a": 0.40, "b": 0.50},
    ),
    Metric(
        "CPU per foreign event, µs",
        Figures(("saturation", "foreign"), foreign_microseconds),
        targets={"a": 0.25, "b": 0.30},
    ),
    Metric(
        "memory per connection at 10,000, KiB (PSS)",
        figures("idle", lambda result: result.kib_per_connection),
        targets={"a": 0.70, "b": 0.95},
    ),
    Metric(
        "connects per second",
        figures("idle", lambda result: result.connects_per_second),
        digits=0,
        more_is_better=True,
        targets={"a": 1.7, "b": 1.1},
    ),
    Metric(
        "p99 latency, 10,000 connections at 10,000 events/s, ms",
        figures("steady", lambda result: result.latency_p99_ms),
        digits=2,
        targets={"a": 0.5, "b": 1.0},
    ),
    Metric(
        "10,000 clients drop and come back: seconds until all are back",
        figures("reconnect", lambda result: result.reconnect_seconds),
        digits=2,
        targets={"a": 0.7, "b": 1.0},
    ),
    Metric(
        "base memory of an idle server, MiB (PSS)",
        figures("idle", lambda result: result.base_pss_kib and result.base_pss_kib / 1024),
    ),
    Metric(
        "resident memory of an idle server, MiB (RSS)",
        figures("idle", lambda result: result.base_rss_kib and result.base_rss_kib / 1024),
    ),
    Metric("CPU per connect, µs", figures("idle", lambda result: result.cpu_connect_microseconds), digits=0),
    Metric(
        "p50 latency, 10,000 connections at 10,000 events/s, ms",
        figures("steady", lambda result: result.latency_p50_ms),
        digits=2,
    ),
    Metric(
        "CPU per delivered event at 10,000 events/s, µs",
        figures("steady", lambda result: result.cpu_event_microseconds),
    ),
    Metric(
        "events delivered per second at saturation",
        figures("saturation", lambda result: result.read_per_second),
        digits=0,
        more_is_better=True,
    ),
    *scaling_metrics("seldom", SELDOM_RATE),
    *scaling_metrics("often", OFTEN_RATE),
    *scaling_metrics("apart", OFTEN_RATE, APART),
)


def workloads_for(words: Sequence[str]) -> list[Workload]:
    """Return what has to be run for the rows that have one of the words in their title.

    Raises ValueError with a word that is in none.
    """
    wanted: set[str] = set()
    for word in words:
        rows = [metric for metric in METRICS if word.lower() in metric.title.lower()]
        if not rows:
            raise ValueError(word)
        wanted.update(name for metric in rows for name in metric.figures.workloads)
    return [workload for workload in WORKLOADS if workload.name in wanted]
