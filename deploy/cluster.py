"""Run three pods and a front door on this machine, without containers: `make cluster`.

The front door is nginx or HAProxy with the configuration that stands beside this file;
only the addresses in it are exchanged for local ones. Where neither is installed the
pods run without one. Ctrl-C ends all of it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.front_door import FRONT_DOORS, FrontDoor, FrontDoorError, find_front_door
from deploy.processes import HOST, ROOT, ChildProcess, ProcessError, hold_ports, pod_command, print_line
from streams.broker import embedded
from streams.conf import read_settings
from streams.conf.env_file import load_env_file
from streams.errors import ConfigurationError

PODS = 3
WATCH_SECONDS = 0.1
# Long enough to see a drain, short enough for whoever pressed Ctrl-C.
DRAIN_SECONDS = "2"
STOP_SECONDS = 30.0


class StopAsked(Exception):
    """A signal has asked for the end."""


class Cluster:
    """The pods and their front door."""

    def __init__(
        self, port: int, pod_ports: list[int], admin_ports: list[int], door: FrontDoor | None, directory: Path
    ) -> None:
        self._port = port
        self._pod_ports = pod_ports
        self._admin_ports = admin_ports
        self._door = door
        self._directory = directory
        self._pods: list[ChildProcess] = []
        self._front: ChildProcess | None = None
        self._stopping = False

    def run(self) -> None:
        """Start all of it, and keep it until a signal comes or it ends by itself.

        Raises ProcessError where a part of it cannot be started; the others have ended by then.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._start()
            self._describe()
            self._watch()
        except StopAsked:
            say("Ending all of it.")
        finally:
            self._stop()

    def _on_signal(self, number: int, _frame: object) -> None:
        # Nothing is printed here: the signal may have come in the middle of a print. A terminal
        # that closes hangs up, and its shell does once more.
        if self._stopping and number != signal.SIGHUP:
            self._terminate_pods()
        self._stopping = True

    def _pause(self, seconds: float) -> None:
        if self._stopping:
            raise StopAsked
        time.sleep(seconds)

    def _start(self) -> None:
        """Start the pods, and the front door when they take clients."""
        environment = os.environ | {
            "DRAIN_SECONDS": os.environ.get("DRAIN_SECONDS") or DRAIN_SECONDS,
            "TRUSTED_PROXIES": os.environ.get("TRUSTED_PROXIES") or HOST,
        }
        for number, port in enumerate(self._pod_ports, 1):
            name = f"pod-{number}"
            own = {"POD_NAME": name}
            if self._admin_ports:
                own["ADMIN_PORT"] = str(self._admin_ports[number - 1])
            self._pods.append(ChildProcess(name, pod_command(port), environment | own))
        for pod, port in zip(self._pods, self._pod_ports, strict=True):
            pod.wait_answer(port, "/health/ready", functools.partial(is_pod, pod.name), self._pause)
        if self._door is not None:
            # It listens on this machine alone, so whoever reaches it may see all pages.
            command = self._door.command(self._directory, self._port, self._pod_ports, operators=HOST)
            self._front = ChildProcess(self._door.name, command, os.environ)
            self._front.wait_answer(self._port, "/front-door/health", pause=self._pause)

    def _describe(self) -> None:
        """Say where everything is."""
        for pod, port in zip(self._pods, self._pod_ports, strict=True):
            say(f"{pod.name} on http://{HOST}:{port} (process {pod.process.pid})")
        for pod, port in zip(self._pods, self._admin_ports, strict=False):
            say(f"{pod.name} has its pages for operators on http://{HOST}:{port}/admin, and the front door none")
        if self._front is None:
            say("No front door: install nginx or haproxy for one. The pods can be used one by one.")
        else:
            say(f"Front door ({self._front.name}) on http://{HOST}:{self._port} (process {self._front.process.pid})")
        say("Ready. Ctrl-C ends all of it.")

    def _watch(self) -> None:
        """Return when the front door or the last pod has ended; tell of each that does."""
        running = [*self._pods, *([self._front] if self._front else [])]
        while True:
            ended = [process for process in running if not process.running]
            for process in ended:
                running.remove(process)
                say(f"{process.name} ended with status {process.wait(STOP_SECONDS)}")
            if self._front in ended or not any(pod in running for pod in self._pods):
                return
            if ended:
                say("Its clients go to the other pods.")
            self._pause(WATCH_SECONDS)

    def _terminate_pods(self) -> None:
        """Ask all pods to drain and end; asked again, they end at once."""
        for pod in self._pods:
            pod.send(signal.SIGTERM)

    def _stop(self) -> None:
        """End the pods first, so that their farewells still pass through the front door."""
        self._terminate_pods()
        deadline = time.monotonic() + STOP_SECONDS
        for pod in self._pods:
            with said_errors():
                pod.wait(max(0.0, deadline - time.monotonic()))
        if self._front is not None:
            with said_errors():
                self._front.stop()


@contextlib.contextmanager
def said_errors() -> Iterator[None]:
    """Say what one process does not do, and go on with the others."""
    try:
        yield
    except ProcessError as error:
        say(str(error))


def is_pod(name: str, body: bytes) -> bool:
    """Say whether an answer comes from this pod and not from a stranger on its port."""
    with contextlib.suppress(ValueError):
        return bool(json.loads(body).get("podName") == name)
    return False


def ports_from(admin_port: int) -> list[int]:
    """Return a port for the operators' pages of each pod, ADMIN_PORT and those after it; none without it."""
    return [admin_port + number for number in range(PODS)] if admin_port else []


def say(sentence: str) -> None:
    """Print a line of this script's own."""
    print_line(f"[CLUSTER] {sentence}")


def parse(default_port: int, arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; the pods' ports are those after the front door's unless it names others."""
    parser = argparse.ArgumentParser(prog="python -m deploy.cluster", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--port", type=int, default=default_port, help="the front door's port (default: PORT, %(default)s)"
    )
    parser.add_argument(
        "--pod-ports",
        type=int,
        nargs=PODS,
        help="the pods' ports (default: the three after the front door's)",
    )
    parser.add_argument(
        "--front-door",
        choices=("auto", *(door.name for door in FRONT_DOORS), "none"),
        default="auto",
        help="auto is nginx, or else HAProxy, or else none",
    )
    options = parser.parse_args(arguments)
    options.pod_ports = options.pod_ports or [options.port + number for number in range(1, PODS + 1)]
    return options


def main() -> None:
    """Run the cluster; exit with 1 and one line where it cannot be started."""
    logging.basicConfig(format="[CLUSTER] %(message)s", level=logging.INFO)
    redis: Any = None
    try:
        load_env_file(ROOT / ".env", os.environ)
        settings = read_settings(os.environ)
        options = parse(settings.port)
        door = find_front_door(options.front_door)
        redis = embedded.start_if_needed(settings)
        with tempfile.TemporaryDirectory(prefix="sse-cluster-") as directory:
            # The front door's own workers may run as another user.
            Path(directory).chmod(0o755)
            admin_ports = ports_from(settings.admin_port)
            with hold_ports([*options.pod_ports, *admin_ports, *([options.port] if door else [])]):
                Cluster(options.port, options.pod_ports, admin_ports, door, Path(directory)).run()
    except (ProcessError, FrontDoorError, ConfigurationError) as error:
        sys.exit(f"[CLUSTER] {error}")
    finally:
        if redis is not None:
            redis.stop()


if __name__ == "__main__":
    main()
