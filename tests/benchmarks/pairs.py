"""This checkout beside another one: each workload on the one, then on the other, in pairs of runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from deploy.processes import ROOT
from loadtest.result import Result
from tests.benchmarks.bench import Bench
from tests.benchmarks.pods import PODS, Pod
from tests.benchmarks.report import NONE, row
from tests.benchmarks.workloads import METRICS, Metric, Results, Workload

# The results of one run: those of the other checkout, and those of this one.
Pair = tuple[Results, Results]


def run_pairs(bench: Bench, before: Path, workloads: Sequence[Workload], runs: int) -> int:
    """Measure a checkout from before and this one, print both; return the exit status: 1 after a failure."""
    pods = checkout("before", before), checkout("after", ROOT)
    possible = bench.possible(workloads)
    for pod in pods:
        bench.compile(pod)
    pairs = [measure_pair(bench, pods, possible, number) for number in range(1, runs + 1)]
    print("\n".join(table(pairs)))
    faults = [*bench.failures, *sentences(pods, pairs, Result.faults)]
    for sentence in (*faults, *sentences(pods, pairs, lambda result: result.limits)):
        print(sentence, file=sys.stderr)
    return int(bool(faults))


def checkout(key: str, directory: Path) -> Pod:
    """Describe the pod of a checkout, which runs in the virtualenv of this one."""
    return replace(PODS["a"], key=key, directory=directory)


def measure_pair(bench: Bench, pods: tuple[Pod, Pod], workloads: Sequence[Workload], number: int) -> Pair:
    """Run every workload on both pods, with one right after the other."""
    pair: tuple[dict[str, list[Result]], dict[str, list[Result]]] = {}, {}
    # Each is first in every second run: a machine that gets slower then favours neither.
    sides = (0, 1) if number % 2 else (1, 0)
    for workload in workloads:
        for side in sides:
            result = bench.measure(pods[side], workload, number)
            pair[side][workload.name] = [] if result is None else [result]
    return pair


def table(pairs: Sequence[Pair]) -> list[str]:
    """Write one row for each metric: both medians, their ratio, and the ratio of each pair."""
    header = ["", "before", "after", "after ÷ before", "pair by pair"]
    rows = (cells(metric, pairs) for metric in METRICS)
    return [row(header), row(["---", "--:", "--:", "--:", "---"]), *(row(found) for found in rows if found)]


def cells(metric: Metric, pairs: Sequence[Pair]) -> list[str]:
    """Write the cells of one row, none where no pair has the figure on both sides."""
    values = [
        (old, new)
        for old, new in ((metric.value(before), metric.value(after)) for before, after in pairs)
        if old is not None and new is not None
    ]
    if not values:
        return []
    before, after = (median(side) for side in zip(*values, strict=True))
    figures = [metric.title, *(f"{value:,.{metric.digits}f}" for value in (before, after))]
    if not metric.has_ratio or not before:
        return [*figures, NONE, NONE]
    ratios = ", ".join(f"{new / old:.3f}" if old else NONE for old, new in values)
    return [*figures, f"{after / before:.3f}", ratios]


def sentences(pods: tuple[Pod, Pod], pairs: Sequence[Pair], said: Callable[[Result], list[str]]) -> list[str]:
    """Return what each run says, with its name before it."""
    return [
        f"({pod.key}) {workload}, run {number}: {sentence}"
        for number, pair in enumerate(pairs, 1)
        for pod, results in zip(pods, pair, strict=True)
        for workload, found in results.items()
        for result in found
        for sentence in said(result)
    ]
