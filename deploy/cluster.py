"""Run three pods and a front door on this machine, without containers: `make cluster`.

The front door is nginx or HAProxy with the configuration that stands beside this file;
only the addresses in it are exchanged for local ones. Where neither is installed the
pods run without one. Ctrl-C ends all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import logging
import os
import re
import resource
import shutil
import signal
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import environ

from streams.broker import embedded
from streams.conf import read_settings
from streams.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PODS = 3
READY_SECONDS = 60.0
POLL_SECONDS = 0.1
# Long enough to see a drain, short enough for whoever pressed Ctrl-C.
DRAIN_SECONDS = "2"
STOP_SECONDS = 30.0
# Debian keeps servers where a user's PATH does not look.
PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


class ClusterError(Exception):
    """The cluster cannot be started."""


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """A program that can stand before the pods, and how to run it."""

    name: str
    configuration: str
    arguments: tuple[str, ...]

    def command(self, directory: Path, port: int, pod_ports: list[int]) -> list[str]:
        """Write the configuration with local addresses into a directory; return what to run."""
        text = (ROOT / "deploy" / self.configuration).read_text()
        text = localize(text, directory, port, pod_ports)
        path = directory / Path(self.configuration).name
        path.write_text(text)
        return [shutil.which(self.name, path=PATHS) or self.name, *self.arguments, str(path)]


FRONT_DOORS = (
    FrontDoor("nginx", "nginx/nginx.conf", ("-e", "stderr", "-g", "daemon off;", "-c")),
    FrontDoor("haproxy", "haproxy/haproxy.cfg", ("-db", "-f")),
)


def localize(text: str, directory: Path, port: int, pod_ports: list[int]) -> str:
    """Exchange the addresses and paths of a front door's configuration for local ones."""
    for number, pod_port in enumerate(pod_ports, 1):
        text = re.sub(rf"(server (?:pod-{number} )?)pod-{number}:3000", rf"\g<1>{HOST}:{pod_port}", text)
    text = re.sub(r"(listen |bind )(?::)?3000\b", rf"\g<1>{HOST}:{port}", text)
    # Asking for more open files than this user may have would only be an alarming line.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        text = re.sub(r"(worker_rlimit_nofile) \d+", rf"\g<1> {min(hard, 65536)}", text)
        text = re.sub(r"(worker_connections) \d+", rf"\g<1> {min(hard, 65536) // 2}", text)
    return text.replace("/tmp/", f"{directory}/")  # noqa: S108 - the path that is exchanged


@contextlib.contextmanager
def hold_ports(ports: list[int]) -> Iterator[None]:
    """Keep ports for the cluster's own programs from before they start until they have ended.

    A port that nobody holds yet can be given to any outgoing connection of this machine,
    and the questions whether its server is there already are such connections: one that
    was given its own target as its source would take the port away from that server. A
    socket that is bound and does not listen prevents this, and lets in whoever sets
    SO_REUSEADDR, as every server here does. Other systems than Linux do not let them in.

    Raises ClusterError where somebody else has a port.
    """
    with contextlib.ExitStack() as held:
        for port in ports if sys.platform == "linux" else ():
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((HOST, port))
            except OSError as error:
                raise ClusterError(f"Port {port} on {HOST} cannot be used: {error.strerror}.") from None
        yield


def find_front_door(wish: str) -> FrontDoor | None:
    """Return the front door to use, or None where there is or shall be none.

    Raises ClusterError where the one that was asked for is not installed.
    """
    wanted = [door for door in FRONT_DOORS if wish in ("auto", door.name)]
    for door in wanted:
        if shutil.which(door.name, path=PATHS):
            return door
    if wanted and wish != "auto":
        raise ClusterError(f"{wish} is not installed; install it, or choose another --front-door.")
    return None


class Process:
    """One child; what it prints is printed with its name before it."""

    def __init__(self, name: str, child: asyncio.subprocess.Process) -> None:
        self.name = name
        self.child = child
        self._printing = asyncio.create_task(self._print(), name=f"print-{name}")

    @classmethod
    async def start(cls, name: str, command: list[str], **variables: str) -> Process:
        """Start a program in a session of its own, so that Ctrl-C reaches only this script."""
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=os.environ | variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(name, child)

    @property
    def running(self) -> bool:
        """Say whether it has not ended."""
        return self.child.returncode is None

    def terminate(self) -> None:
        """Ask it to end."""
        with contextlib.suppress(ProcessLookupError):
            self.child.terminate()

    async def wait(self) -> int:
        """Wait for its end and its last line; return its exit status."""
        status = await self.child.wait()
        await self._printing
        return status

    async def stop(self) -> None:
        """Wait for the end that it was asked for; take no longer than STOP_SECONDS."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.wait()
        except TimeoutError:
            say(f"{self.name} does not end; killing it")
            self.child.kill()
            await self.child.wait()

    async def _print(self) -> None:
        stream = self.child.stdout
        while stream is not None and (line := await stream.readline()):
            print(f"{self.name:>10} | {line.decode(errors='replace').rstrip()}", flush=True)


class Cluster:
    """The pods and their front door."""

    def __init__(self, port: int, pod_ports: list[int], door: FrontDoor | None, directory: Path) -> None:
        self._port = port
        self._pod_ports = pod_ports
        self._door = door
        self._directory = directory
        self._pods: list[Process] = []
        self._front: Process | None = None

    async def start(self) -> None:
        """Start the pods, and the front door when they take clients."""
        if not os.environ.get("DRAIN_SECONDS"):
            os.environ["DRAIN_SECONDS"] = DRAIN_SECONDS
        for number, port in enumerate(self._pod_ports, 1):
            command = [sys.executable, "manage.py", "streamworker", "--host", HOST, "--port", str(port)]
            self._pods.append(await Process.start(f"pod-{number}", command, POD_NAME=f"pod-{number}"))
        for pod, port in zip(self._pods, self._pod_ports, strict=True):
            await wait_answer(pod, f"http://{HOST}:{port}/health/ready", functools.partial(is_pod, pod.name))
        if self._door is not None:
            command = self._door.command(self._directory, self._port, self._pod_ports)
            self._front = await Process.start(self._door.name, command)
            await wait_answer(self._front, f"http://{HOST}:{self._port}/front-door/health", bool)

    def describe(self) -> None:
        """Say where everything is."""
        for pod, port in zip(self._pods, self._pod_ports, strict=True):
            say(f"{pod.name} on http://{HOST}:{port} (process {pod.child.pid})")
        if self._front is None:
            say("No front door: install nginx or haproxy for one. The pods can be used one by one.")
        else:
            say(f"Front door ({self._front.name}) on http://{HOST}:{self._port} (process {self._front.child.pid})")
        say("Ready. Ctrl-C ends all of it.")

    async def watch(self) -> None:
        """Return when the front door or the last pod has ended; tell of each that does."""
        names = {asyncio.create_task(process.wait()): process.name for process in self._processes()}
        try:
            while names:
                done, _ = await asyncio.wait(names, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    name = names.pop(task)
                    say(f"{name} ended with status {task.result()}")
                if self._front is not None and not self._front.running:
                    return
                if not any(pod.running for pod in self._pods):
                    return
                say("Its clients go to the other pods.")
        finally:
            for task in names:
                task.cancel()

    def terminate(self) -> None:
        """Ask all pods to drain and end; asked again, they end at once."""
        for pod in self._pods:
            pod.terminate()

    async def stop(self) -> None:
        """End the pods first, so that their farewells still pass through the front door."""
        self.terminate()
        await asyncio.gather(*(pod.stop() for pod in self._pods))
        if self._front is not None:
            self._front.terminate()
            await self._front.stop()

    def _processes(self) -> list[Process]:
        return [*self._pods, *([self._front] if self._front else [])]


async def wait_answer(process: Process, url: str, expected: Callable[[bytes], bool]) -> None:
    """Wait until a process answers a URL as expected.

    Raises ClusterError where it ends or does not within READY_SECONDS.
    """
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not expected(await asyncio.to_thread(read, url)):
                if not process.running:
                    raise ClusterError(
                        f"{process.name} ended with status {process.child.returncode}; see its lines above."
                    )
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise ClusterError(f"{process.name} did not answer {url} within {READY_SECONDS:g} s.") from None


def read(url: str) -> bytes:
    """Return the body of a good answer, or nothing."""
    # Without hold_ports() a port that nobody listens on yet can connect to itself, and echoes the request.
    with contextlib.suppress(OSError, HTTPException), urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own
        body: bytes = response.read()
        return body
    return b""


def is_pod(name: str, body: bytes) -> bool:
    """Say whether an answer comes from this pod and not from a stranger on its port."""
    with contextlib.suppress(ValueError):
        return bool(json.loads(body).get("podName") == name)
    return False


def say(sentence: str) -> None:
    """Print a line of this script's own."""
    print(f"[CLUSTER] {sentence}", flush=True)


async def run(cluster: Cluster) -> None:
    """Start the cluster and keep it until a signal comes or it ends by itself."""
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            cluster.terminate()
        else:
            say("Ending all of it.")
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    stop = asyncio.create_task(stopping.wait(), name="stop")
    life = asyncio.create_task(live(cluster), name="cluster")
    try:
        await asyncio.wait((stop, life), return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            # An error of the start is raised here.
            life.result()
    finally:
        for task in (stop, life):
            task.cancel()
        await asyncio.wait((stop, life))
        await cluster.stop()


async def live(cluster: Cluster) -> None:
    """Go through the cluster's life up to where it ends by itself."""
    await cluster.start()
    cluster.describe()
    await cluster.watch()


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
    environ.Env.read_env(ROOT / ".env")
    logging.basicConfig(format="[CLUSTER] %(message)s", level=logging.INFO)
    redis: Any = None
    try:
        settings = read_settings(os.environ)
        options = parse(settings.port)
        door = find_front_door(options.front_door)
        redis = embedded.start_if_needed(settings)
        with tempfile.TemporaryDirectory(prefix="sse-cluster-") as directory:
            # The front door's own workers may run as another user.
            Path(directory).chmod(0o755)
            with hold_ports([*options.pod_ports, *([options.port] if door else [])]):
                asyncio.run(run(Cluster(options.port, options.pod_ports, door, Path(directory))))
    except (ClusterError, ConfigurationError) as error:
        sys.exit(f"[CLUSTER] {error}")
    finally:
        if redis is not None:
            redis.stop()


if __name__ == "__main__":
    main()
