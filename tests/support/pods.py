"""Pods for tests: real processes, started by each of the commands that start one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import psutil

from deploy import processes
from deploy.processes import ProcessError, pod_command
from tests.support.forking.client import fork_server
from tests.support.http import HOST, Answer, fetch
from tests.support.leaks.programs import Program
from tests.support.leaks.watch import watch
from tests.support.redis_server import free_port
from tests.support.waiting import wait_until

ROOT = processes.ROOT
BIN = Path(sys.executable).parent

# Python's own settings in production, with a place for bytecode that the developer may write to.
AS_IN_THE_IMAGE = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(Path(sys.prefix) / "bytecode"),
}

# What production has to be told, and what these tests mean where they are about something else.
LOCKS_OFF: dict[str, Any] = {"STREAM_AUTH": "off", "PUBLISH_AUTH": "off"}

# What a pod has to be told to start in production, beside its Redis.
PRODUCTION: dict[str, Any] = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
    **LOCKS_OFF,
}

# Where tests.support.applications.introspection answers.
OBSERVED = "/observed"
# Where tests.support.applications.tracing gives a trace, begins one, and closes a client everywhere.
TRACE, TRACING, CLOSING = "/trace", "/tracing", "/closing"
# Where the view of tests.support.applications.failing raises.
FAILING = "/failing"
# Where it fails before Django looks at the request.
OUTSIDE_DJANGO = "/failing-outside-django"

# The one command whose output is a secret.
MAKE_TOKEN = "make_token"

# How Python begins to tell of an exception.
TRACEBACK = "Traceback (most recent call last)"

STARTS = ("streamworker", "daphne", "runserver", "uvicorn")


def command(
    start: str, port: int, application: str = "sseproject.asgi:application", host: str = HOST, root_path: str = ""
) -> list[str]:
    """Return the command line of one way to start a pod; manage.py always serves its own application."""
    python = sys.executable
    commands = {
        "streamworker": pod_command(port, host),
        "daphne": [str(BIN / "daphne"), "-b", host, "-p", str(port), application],
        "runserver": [python, "manage.py", "runserver", str(port), "--noreload"],
        # Left to itself, uvicorn waits for every stream to end before it ends.
        "uvicorn": [
            str(BIN / "uvicorn"),
            *("--host", host, "--port", str(port), "--timeout-graceful-shutdown", "1"),
            application,
        ],
    }
    return [*commands[start], *(("--root-path", root_path) if root_path else ())]


def documented_variables() -> list[str]:
    """Return the names of all variables in .env.example."""
    return re.findall(r"(?m)^([A-Z_]+)=", (ROOT / ".env.example").read_text())


def environment(**variables: str | float) -> dict[str, str]:
    """Return an environment in which the service sees the given variables and no others.

    Those that are not given are set and empty, which counts as not set, and keeps a
    developer's `.env` out of the tests.
    """
    unset = dict.fromkeys(documented_variables(), "") | {"ALLOWED_HOSTS": "*"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    given = {name: str(value) for name, value in variables.items()}
    return inherited | unset | AS_IN_THE_IMAGE | {"NO_COLOR": "1"} | given


def run_python(
    *arguments: str, env: Mapping[str, str], timeout: float = 60.0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's directory to its end."""
    watch.secrets.add_environment(env)
    command = [sys.executable, *arguments]
    if (server := fork_server(command, env)) is not None:
        done = server.run(command, env, ROOT, timeout, stdin)
    else:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=dict(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    search_output(arguments, done)
    return done


def search_output(arguments: Sequence[str], done: subprocess.CompletedProcess[str]) -> None:
    """Look for secrets in what a program printed, but for the token that it made, if that is what it is for."""
    told = done.stdout + done.stderr
    if MAKE_TOKEN in arguments and done.returncode == 0:
        watch.secrets.add(done.stdout)
        told = done.stderr
    watch.search(" ".join(["the output of", *arguments[:2]]), told)


def run_manage(
    *arguments: str, env: Mapping[str, str], timeout: float = 60.0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end."""
    return run_python("manage.py", *arguments, env=env, timeout=timeout, stdin=stdin)


def run_on_terminal(*arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a management command where a person looks at it; return its status and all that was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "manage.py", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env={**env, "TERM": "xterm"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        # A terminal without a process on its other side reads as an error.
        pass
    finally:
        os.close(ours)
    watch.search(f"the terminal of {arguments[0]}", shown)
    return process.wait(30), shown.decode()


class Pod(Program):
    """One pod process and its log."""

    ready_seconds = 30.0
    stop_seconds = 20.0

    def __init__(
        self, start: str, log_path: Path, env: Mapping[str, str], *, port: int | None = None, **options: str
    ) -> None:
        self.start = start
        # A pod that is started again stays where its front door looks for it.
        self.port = free_port() if port is None else port
        # Set where the server, and not the service, is known to log one.
        self.may_log_tracebacks = False
        super().__init__(start, self.command(**options), env, log_path=log_path)

    def command(self, **options: str) -> list[str]:
        return command(self.start, self.port, **options)

    def start_process(
        self, command: list[str], environment: Mapping[str, str], directory: Path, output: Any
    ) -> subprocess.Popen[bytes]:
        """Fork it where that is a way, which spares it most of its start."""
        if (server := fork_server(command, environment)) is not None:
            return cast("subprocess.Popen[bytes]", server.start(command, environment, directory, output, output))
        return super().start_process(command, environment, directory, output)

    @property
    def ps(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def fetch(self, target: str, **options: Any) -> Answer:
        return fetch(self.port, target, **options)

    def json(self, target: str) -> Any:
        return self.fetch(target).json()

    def metric(self, name: str) -> float:
        """Return one figure of /metrics."""
        text = self.fetch("/metrics").body.decode()
        match = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
        assert match, f"/metrics has no {name}"
        return float(match[1])

    def connections(self) -> int:
        total = self.json("/admin/connections")["totalConnections"]
        assert isinstance(total, int)
        return total

    def status(self, target: str) -> int:
        """Return the status of a path, or 0 while nobody listens."""
        assert self.running, f"the pod ended with {self.process.returncode}:\n{self.log}"
        try:
            return self.fetch(target, timeout=5).status
        except OSError:
            return 0

    @property
    def is_ready(self) -> bool:
        return self.status("/health/ready") == 200

    def wait_live(self) -> None:
        """Wait until it answers at all, whatever Redis does."""
        self._wait("/health/live")

    def wait_ready(self) -> None:
        """Wait until it takes clients."""
        self._wait("/health/ready")

    def _wait(self, target: str) -> None:
        with self._failing_with_log():
            self.wait_answer(self.port, target)

    def wait_log(self, text: str, timeout: float = 15.0) -> None:
        """Wait for a line of log, which a thread of the pod writes: it may come after the answer that it is about."""
        wait_until(f"{text!r} in the log", lambda: text in self.log, timeout)

    def search_log(self, pattern: str) -> re.Match[str]:
        """Wait for what a line of log is to match."""
        wait_until(f"what matches {pattern!r} in the log", lambda: re.search(pattern, self.log) is not None)
        found = re.search(pattern, self.log)
        assert found
        return found

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask this process, and no other, to end; return its exit status."""
        with self._failing_with_log():
            return self.stop(number)

    @contextlib.contextmanager
    def _failing_with_log(self) -> Iterator[None]:
        try:
            yield
        except ProcessError as error:
            raise AssertionError(f"{self.log}\n{error}") from None

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let the process do nothing, as on a machine that is paused; its sockets stay open."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def assert_no_traceback(self) -> None:
        before, found, after = self.log.partition(TRACEBACK)
        assert not found, f"a traceback in the log of {self.start}: …{before[-500:]}{found}{after[:4000]}"
