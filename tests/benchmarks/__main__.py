"""`python -m tests.benchmarks`: run every workload on every server, one after another, and write the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deploy.processes import ROOT
from loadtest.result import Result
from tests.benchmarks.bench import Bench, open_bench
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.pairs import run_pairs
from tests.benchmarks.pods import PODS, PodFailed, install_express
from tests.benchmarks.report import Measurement, as_json, faults, page, table
from tests.benchmarks.workloads import METRICS, WORKLOADS, Workload, workloads_for

DEFAULT_OUTPUT = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Measure, write, and return the exit status: 1 when a server of this project failed."""
    options = _arguments()
    if options.before:
        with open_bench() as bench:
            return run_pairs(bench, options.before, options.workloads, options.runs)
    if "c" in options.servers:
        install_express()
    with open_bench() as bench:
        measurement = _compare(bench, options.servers, options.workloads, options.runs)
    if options.output:
        options.output.write_text(page(measurement))
    if options.json:
        print(msgspec.json.encode(as_json(measurement)).decode())
    else:
        print("\n".join(table(measurement)))
    for sentence in faults(measurement):
        print(sentence, file=sys.stderr)
    return int(any(sentence.startswith(("(a)", "(b)")) for sentence in faults(measurement)))


def _compare(bench: Bench, keys: Sequence[str], workloads: Sequence[Workload], runs: int) -> Measurement:
    """Run everything, all servers once before any server twice."""
    workloads = bench.possible(workloads)
    results: dict[str, dict[str, list[Result]]] = {key: {workload.name: [] for workload in workloads} for key in keys}
    for key in keys:
        bench.compile(PODS[key])
    for number in range(1, runs + 1):
        for key in keys:
            for workload in workloads:
                if key in workload.only and (result := bench.measure(PODS[key], workload, number)):
                    results[key][workload.name].append(result)
    return Measurement(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        runs=runs,
        machine=machine(),
        versions=versions(bench.redis_url),
        workloads=workloads,
        results=results,
        failures=bench.failures,
        busy_share=bench.busy_share,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    servers = "; ".join(f"{pod.key} {pod.title}" for pod in PODS.values())
    parser.add_argument("--servers", help=f"with commas, all unless given: {servers}")
    parser.add_argument("--only", action="append", metavar="ROW", help="part of a row's title; may be repeated")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts (3)")
    parser.add_argument("--quick", action="store_true", help="small figures: to see whether it works")
    parser.add_argument("--before", type=Path, metavar="DIR", help="compare with the pod of another checkout instead")
    parser.add_argument("--output", type=Path, help="page to write (a full run: docs/benchmarks.md)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if options.before:
        _check_before(parser, options)
    elif not (options.quick or options.only or options.servers or options.output):
        options.output = DEFAULT_OUTPUT
    options.servers = _servers(parser, options.servers or ",".join(PODS))
    options.workloads = _workloads(parser, options.only)
    if options.quick:
        options.workloads = [workload.quick() for workload in options.workloads]
    return options


def _check_before(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.servers or options.output or options.json:
        parser.error("--before compares two pods in a table: it takes no --servers, --output or --json")
    options.before = options.before.resolve()
    if not (options.before / "manage.py").is_file():
        parser.error(f"--before is {options.before}, but there is no manage.py in it")


def _servers(parser: argparse.ArgumentParser, text: str) -> list[str]:
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    if not chosen or set(chosen) - set(PODS):
        parser.error(f"--servers is {text!r}, but it must be out of {', '.join(PODS)}")
    return [key for key in PODS if key in chosen]


def _workloads(parser: argparse.ArgumentParser, rows: list[str] | None) -> list[Workload]:
    try:
        return workloads_for(rows) if rows else list(WORKLOADS)
    except ValueError as error:
        titles = "\n  ".join(metric.title for metric in METRICS)
        parser.error(f"--only is {str(error)!r}, which is in no row:\n  {titles}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PodFailed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: nothing was written.")
