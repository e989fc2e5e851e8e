"""Clusters for tests: `python -m deploy.cluster` on free ports, as one process that ends its own."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.processes import pod_command
from tests.support.http import HOST
from tests.support.leaks.programs import Program
from tests.support.pods import environment
from tests.support.redis_server import free_port
from tests.support.waiting import wait_until

DOORS = ("nginx", "haproxy")
PODS = {"pod-1", "pod-2", "pod-3"}


class RunningCluster(Program):
    """Three pods behind a front door, and the script that holds them."""

    # Over the script's own patience, so that its reason is the one that is read.
    ready_seconds = 90.0
    stop_seconds = 40.0
    # Ctrl-C.
    stop_signal = signal.SIGINT

    def __init__(self, log_path: Path, *options: str, **variables: str | float) -> None:
        self.port = free_port()
        self.pod_ports = [free_port() for _ in range(3)]
        arguments = map(str, ["--port", self.port, "--pod-ports", *self.pod_ports, *options])
        command = [sys.executable, "-m", "deploy.cluster", *arguments]
        super().__init__("cluster", command, environment(**{"DRAIN_SECONDS": 1, **variables}), log_path=log_path)

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.running, f"the cluster ended:\n{self.log}"
            return "[CLUSTER] Ready." in self.log

        try:
            wait_until("the cluster to be ready", ready, self.ready_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def pids(self) -> dict[str, int]:
        """Return the process of each pod and of the front door, as the script tells them."""
        found = re.findall(r"\[CLUSTER\] (?:Front door \()?([\w-]+)\)? on \S+ \(process (\d+)\)", self.log)
        return {name: int(pid) for name, pid in found}


@contextmanager
def running_cluster(log_path: Path, *options: str, **variables: str | float) -> Iterator[RunningCluster]:
    """Run a cluster for the length of a block."""
    cluster = RunningCluster(log_path, *options, **variables)
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()
    assert "Traceback" not in cluster.log, cluster.log


@contextmanager
def pod_at(port: int, log_path: Path, host: str = HOST, **variables: str | float) -> Iterator[Program]:
    """Run a pod where a front door looks for one, for the length of a block."""
    variables = {"DRAIN_SECONDS": 0, **variables}
    pod = Program(f"pod on {host}", pod_command(port, host), environment(**variables), log_path=log_path)
    try:
        yield pod
    finally:
        pod.stop()
