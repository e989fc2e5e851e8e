"""Clusters for tests: `python -m deploy.cluster` on free ports, as one process that ends its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.pods import ROOT, environment
from tests.support.redis_server import free_port
from tests.support.waiting import wait_until

# Over the script's own patience, so that its reason is the one that is read.
START_SECONDS = 90.0
STOP_SECONDS = 40.0


class RunningCluster:
    """Three pods behind a front door, and the script that holds them."""

    def __init__(self, log_path: Path, *options: str, **variables: str | float) -> None:
        self.port = free_port()
        self.pod_ports = [free_port() for _ in range(3)]
        self.log_path = log_path
        arguments = ["--port", self.port, "--pod-ports", *self.pod_ports, *options]
        with log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cluster", *map(str, arguments)],
                cwd=ROOT,
                env=environment(**{"DRAIN_SECONDS": 1, **variables}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"the cluster ended:\n{self.log}"
            return "[CLUSTER] Ready." in self.log

        try:
            wait_until("the cluster to be ready", ready, START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def pids(self) -> dict[str, int]:
        """Return the process of each pod and of the front door, as the script tells them."""
        found = re.findall(r"\[CLUSTER\] (?:Front door \()?([\w-]+)\)? on \S+ \(process (\d+)\)", self.log)
        return {name: int(pid) for name, pid in found}

    def stop(self) -> int:
        """Press Ctrl-C; return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)


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
