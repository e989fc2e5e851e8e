"""The measurement as a page of Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.pods import PODS, REFERENCE
from tests.benchmarks.workloads import METRICS, Metric, Results, Workload

# What stands in a cell without a figure.
NONE = "-"

HOW = """\
Each server runs alone, started anew for every workload, on the same Valkey, and so do the runs: one of
every server, then the next. The server has one core for itself; Valkey, the publisher and the readers
share the rest. The Python servers run with the image's `PYTHONOPTIMIZE=2`, Express with `NODE_ENV=production`.
CPU is user and system time of the server's process; memory is PSS from `/proc/PID/smaps_rollup`, after the
connects less before them; the load tool is written in Python too, so that an idle Python server's PSS has a
share of the libraries, and RSS has all of them. At saturation 8,000 events are on
their way at any time: the publisher sends as fast as events are read, so that the server always
has work and no backlog grows. A server that writes a client's events of one moment together saves
system calls there; at 10,000 events a second it has none to save. From the CPU time of the foreign
events, the one in a hundred that is delivered is taken off at its cost at saturation.
With 1,000 and with 19,000 connections everything is counted, heartbeats too. What goes over the loopback
device is taken in by the core that sends it, within its send(): the server is charged with what the
client's kernel does, and with the acknowledgement, which comes at once after a pause of 200 ms and
otherwise when the client reads, in the client's time. At 4,000 events a second all clients have
such pauses, few or many; at 20,000 only the many have them. In the rows "clients' packets on other cores"
the kernel hands everything sent to the other cores (receive packet steering), as if the clients had a
machine of their own. What is left to the server there is its own work and waking the other core for what
it sends; the more there is to do over there, the less often it has to be woken.
Latency is counted from the publish to the read, on one clock. Every event of every connection is checked."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything that one call of the benchmark found."""

    date: str
    runs: int
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    workloads: Sequence[Workload]
    results: Mapping[str, Results]
    failures: Sequence[str]
    busy_share: float

    @property
    def keys(self) -> list[str]:
        """Give the servers that were measured, in order."""
        return [key for key in PODS if key in self.results]

    def ratio(self, metric: Metric, key: str) -> float | None:
        """Divide a server's figure by that of the reference, None where one is missing or it says nothing."""
        if not metric.has_ratio:
            return None
        value = metric.value(self.results[key])
        reference = metric.value(self.results.get(REFERENCE, {}))
        return value / reference if value is not None and reference else None


def table(measurement: Measurement) -> list[str]:
    """Write one row for each metric: the figure of each server, its ratio to the reference, its target."""
    header = [""]
    for key in measurement.keys:
        header.append(f"({key}) {PODS[key].title}")
        if key != REFERENCE:
            header.append(f"{key} ÷ {REFERENCE}")
        if key in "ab":
            header.append("target")
    lines = [row(header), row(["---"] + ["--:"] * (len(header) - 1))]
    for metric in METRICS:
        cells = list(_cells(measurement, metric))
        if any(cell != NONE for cell in cells):
            lines.append(row([metric.title, *cells]))
    return lines


def _cells(measurement: Measurement, metric: Metric) -> Iterator[str]:
    for key in measurement.keys:
        value = metric.value(measurement.results[key])
        yield NONE if value is None else f"{value:,.{metric.digits}f}"
        ratio = measurement.ratio(metric, key)
        if key != REFERENCE:
            met = ratio is not None and metric.meets(key, ratio)
            yield NONE if ratio is None else f"**{ratio:.2f}**" if met else f"{ratio:.2f}"
        if key in "ab":
            target = (metric.targets or {}).get(key)
            yield NONE if target is None else f"{'≥' if metric.more_is_better else '≤'} {target:g}"


def faults(measurement: Measurement) -> list[str]:
    """Name every run in which a server lost, doubled or reordered something, or let clients down."""
    return list(measurement.failures) + [
        f"({key}) {workload}, run {number}: {sentence}"
        for key in measurement.keys
        for workload, results in measurement.results[key].items()
        for number, result in enumerate(results, 1)
        for sentence in result.faults()
    ]


def limits(measurement: Measurement) -> list[str]:
    """Name every run in which the load generator was the limit."""
    return [
        f"({key}) {workload}, run {number}: {sentence}"
        for key in measurement.keys
        for workload, results in measurement.results[key].items()
        for number, result in enumerate(results, 1)
        for sentence in result.limits
    ]


def page(measurement: Measurement) -> str:
    """Write docs/benchmarks.md."""
    lines = ["# Benchmarks", ""]
    lines.append(f"`make bench` wrote this page on {measurement.date}: medians of {measurement.runs} runs.")
    lines.append(f"Ratios are to ({REFERENCE}); a ratio in bold reaches its target.")
    lines += ["", *table(measurement), ""]
    bad = faults(measurement)
    lines += ["## Lost, doubled, out of order", ""]
    lines += [f"- {sentence}" for sentence in bad] or ["Nothing, in any run of any server."]
    if notes := limits(measurement):
        lines += ["", "## Where the load generator was the limit", "", *(f"- {note}" for note in notes)]
    lines += ["", "## Workloads", ""]
    lines += [f"- **{workload.name}**: {workload.title}" for workload in measurement.workloads]
    lines += ["", "## How it is measured", "", HOW, "", "## Every run", ""]
    lines += _spread(measurement)
    lines += ["", "## Machine and versions", ""]
    busy = {"busy with other things before the first run": f"{measurement.busy_share:.0%}"}
    facts = {**measurement.machine, **busy, **measurement.versions}
    lines += [f"- {name}: {fact}" for name, fact in facts.items()]
    return "\n".join(lines) + "\n"


def _spread(measurement: Measurement) -> list[str]:
    keys = measurement.keys
    lines = [row(["", *(f"({key})" for key in keys)]), row(["---"] + ["--:"] * len(keys))]
    for metric in METRICS:
        cells = [
            ", ".join(f"{value:,.{metric.digits}f}" for value in metric.figures.read(measurement.results[key])) or NONE
            for key in keys
        ]
        if any(cell != NONE for cell in cells):
            lines.append(row([metric.title, *cells]))
    return lines


def as_json(measurement: Measurement) -> dict[str, object]:
    """Give the same as one JSON object, with every result of every run."""
    return {
        "date": measurement.date,
        "runs": measurement.runs,
        "machine": measurement.machine,
        "busyShare": measurement.busy_share,
        "versions": measurement.versions,
        "metrics": {
            metric.title: {
                key: {
                    "median": metric.value(measurement.results[key]),
                    "ratio": measurement.ratio(metric, key),
                    "target": (metric.targets or {}).get(key),
                }
                for key in measurement.keys
            }
            for metric in METRICS
        },
        "faults": faults(measurement),
        "limits": limits(measurement),
        "results": measurement.results,
    }


def row(cells: Sequence[str]) -> str:
    """Write one line of a table."""
    return "| " + " | ".join(cells) + " |"
