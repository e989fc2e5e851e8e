"""The servers that are compared: how each starts, says that it is ready, and stops."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.processes import HOST, ROOT, ChildProcess, ProcessError, pod_command
from tests.support.pods import AS_IN_THE_IMAGE
from tests.support.redis_server import free_port

EXPRESS = Path(__file__).parent / "peers" / "express"
CHANNELS_DOCS = Path(__file__).parent / "peers" / "channels_docs"
DAPHNE = str(Path(sys.executable).with_name("daphne"))


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
        Pod("a", "`streamworker`", tuple(pod_command("{port}")), ROOT, "/health/ready"),
        Pod(
            "b",
            "plain `daphne`",
            (DAPHNE, "-b", HOST, "-p", "{port}", "sseproject.asgi:application"),
            ROOT,
            "/health/ready",
        ),
        Pod("c", "Express + ioredis", ("node", "server.js"), EXPRESS, "/health"),
        Pod(
            "d",
            "Channels as documented",
            (DAPHNE, "-b", HOST, "-p", "{port}", "asgi:application"),
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
        raise PodFailed("The Express peer needs node and npm: install Node.js 20, or use --servers a,b,d.")
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


class Server(ChildProcess):
    """A server that is measured."""

    ready_seconds = 30.0
    stop_seconds = 15.0


@contextlib.contextmanager
def running(pod: Pod, redis_url: str, cpus: set[int], log: Path) -> Iterator[tuple[int, str]]:
    """Run a server on a free port, pinned to some CPUs; give its process id and base URL.

    Raises PodFailed with the end of its output when it does not become ready.
    """
    port = free_port()
    command = [part.format(port=port) for part in pod.command]
    # A child, and every thread it starts, inherits the CPUs of its parent.
    with pinned(cpus):
        environment = pod.environment(port, redis_url)
        server = Server(pod.key, command, environment, log_path=log, directory=pod.directory)
    try:
        server.wait_answer(port, pod.ready_path)
        yield server.process.pid, f"http://{HOST}:{port}"
    except ProcessError as error:
        last_lines = " | ".join(server.log.splitlines()[-5:])
        raise PodFailed(f"{error} {last_lines}") from None
    finally:
        with contextlib.suppress(ProcessError):
            server.stop()


@contextlib.contextmanager
def pinned(cpus: set[int]) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on some CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
