"""The servers that are compared: how each starts, says that it is ready, and stops."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.pods import AS_IN_THE_IMAGE

ROOT = Path(__file__).resolve().parents[2]
EXPRESS = Path(__file__).parent / "peers" / "express"
CHANNELS_DOCS = Path(__file__).parent / "peers" / "channels_docs"
DAPHNE = str(Path(sys.executable).with_name("daphne"))
START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


class PodFailed(Exception):
    """A server did not start or cannot be had here."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One server under test; `{port}` in its command stands for its port."""

    key: str
    title: str
    command: tuple[str, ...]
    directory: Path
    ready_path: str

    def environment(self, port: int, redis_url: str) -> dict[str, str]:
        """Give the variables that it is started with: the same for all, each as in production."""
        return (
            os.environ
            | AS_IN_THE_IMAGE
            | {
                "REDIS_URL": redis_url,
                "PORT": str(port),
                "POD_NAME": f"bench-{self.key}",
                "ENVIRONMENT": "development",
                "NODE_ENV": "production",
            }
        )


REFERENCE = "c"
PODS = {
    pod.key: pod
    for pod in (
        Pod(
            "a",
            "`streamworker`",
            (sys.executable, "manage.py", "streamworker", "--host", "127.0.0.1", "--port", "{port}"),
            ROOT,
            "/health/ready",
        ),
        Pod(
            "b",
            "plain `daphne`",
            (DAPHNE, "-b", "127.0.0.1", "-p", "{port}", "sseproject.asgi:application"),
            ROOT,
            "/health/ready",
        ),
        Pod("c", "Express + ioredis", ("node", "server.js"), EXPRESS, "/health"),
        Pod(
            "d",
            "Channels as documented",
            (DAPHNE, "-b", "127.0.0.1", "-p", "{port}", "asgi:application"),
            CHANNELS_DOCS,
            "/health",
        ),
    )
}


def install_express() -> None:
    """Install the pinned packages of the Express peer, if they are not there.

    Raises PodFailed where there is no npm, or it fails.
    """
    wanted = json.loads((EXPRESS / "package.json").read_text())["dependencies"]
    if express_versions() == wanted:
        return
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise PodFailed("The Express peer needs node and npm: install Node.js 20, or use --only a,b,d.")
    # No lock file: it would hold the address of whatever registry this machine uses.
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--omit=dev", "--silent"]
    if subprocess.run(command, cwd=EXPRESS).returncode:
        raise PodFailed("npm could not install the Express peer; its message stands above.")


def express_versions() -> dict[str, str]:
    """Read which versions of the Express peer's packages are installed."""
    versions = {}
    for name in ("express", "ioredis"):
        with contextlib.suppress(FileNotFoundError):
            text = (EXPRESS / "node_modules" / name / "package.json").read_text()
            versions[name] = json.loads(text)["version"]
    return versions


@contextlib.contextmanager
def running(pod: Pod, redis_url: str, cpus: set[int], log: Path) -> Iterator[tuple[int, str]]:
    """Run a server on a free port, pinned to some CPUs; give its process id and base URL.

    Raises PodFailed with the end of its output when it does not become ready.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [part.format(port=port) for part in pod.command]
    with log.open("wb") as output, pinned(cpus):
        # A child, and every thread it starts, inherits the CPUs of its parent.
        process = subprocess.Popen(
            command,
            cwd=pod.directory,
            env=pod.environment(port, redis_url),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, url + pod.ready_path, log)
        yield process.pid, url
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PodFailed(f"It ended with status {process.returncode}: {_tail(log)}")
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(POLL_SECONDS)
    raise PodFailed(f"{url} did not answer 200 within {START_SECONDS:.0f} s: {_tail(log)}")


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:])


@contextlib.contextmanager
def pinned(cpus: set[int]) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on some CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
