"""Child processes: started, ready once they answer, ended; and the ports that are kept for them."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
POLL_SECONDS = 0.02
# A question that a process under load is slow to answer is asked again.
ASK_SECONDS = 5.0
# The rest of what an ended process printed; its own children may hold the pipe for longer.
LAST_LINES_SECONDS = 2.0


class ProcessError(Exception):
    """A process cannot be started, ends by itself, or does not do what it is asked."""


class ChildProcess:
    """A program in a session of its own, so that Ctrl-C reaches only the one that started it.

    `environment` holds all of its variables. What it prints goes to the file at `log_path`;
    without one, each of its lines is printed here with its name before it.
    """

    ready_seconds = 60.0
    stop_seconds = 30.0
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        *,
        log_path: Path | None = None,
        directory: Path = ROOT,
    ) -> None:
        self.name = name
        self.log_path = log_path
        with contextlib.ExitStack() as opened:
            output = subprocess.PIPE if log_path is None else opened.enter_context(log_path.open("wb"))
            self.process = self.start_process(command, environment, directory, output)
        self._printer = threading.Thread(target=self._print, name=f"print-{name}", daemon=True)
        self._printer.start()

    def start_process(
        self, command: list[str], environment: Mapping[str, str], directory: Path, output: int | BinaryIO
    ) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own; both of its outputs go to `output`."""
        return subprocess.Popen(  # noqa: S603 - our own commands
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Say whether it has not ended."""
        return self.process.poll() is None

    @property
    def log(self) -> str:
        """Return what it has printed to its file so far."""
        return self.log_path.read_text(errors="replace") if self.log_path else ""

    def wait_answer(
        self,
        port: int,
        path: str,
        expected: Callable[[bytes], bool] = bool,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask for a path on this machine until the body of a good answer is as expected.

        `pause` is called between two questions, with seconds; what it raises ends the waiting.
        Raises ProcessError where the process ends first, or after `ready_seconds`.
        """
        deadline = time.monotonic() + self.ready_seconds
        while not expected(ask(port, path)):
            if not self.running:
                raise ProcessError(f"{self.name} ended with status {self.process.returncode}; see its lines above.")
            if time.monotonic() > deadline:
                url = f"http://{HOST}:{port}{path}"
                raise ProcessError(f"{self.name} did not answer {url} within {self.ready_seconds:g} s.")
            pause(POLL_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.running:
            self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end and its last line; return its exit status.

        Raises ProcessError where it did not end in time, and was killed.
        """
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessError(f"{self.name} does not end; killing it") from None
        self._printer.join(LAST_LINES_SECONDS)
        return status

    def stop(self, number: signal.Signals | None = None) -> int:
        """Ask it to end, by `stop_signal` unless told otherwise; return its exit status.

        Raises ProcessError where it did not end within `stop_seconds`, and was killed.
        """
        self.send(number or self.stop_signal)
        return self.wait(self.stop_seconds)

    def kill(self) -> None:
        """End it now, if it has not ended."""
        self.process.kill()
        self.process.wait()

    def _print(self) -> None:
        if self.process.stdout is None:
            return
        with self.process.stdout as lines:
            for line in lines:
                print_line(f"{self.name:>10} | {line.decode(errors='replace').rstrip()}")


def pod_command(port: int | str, host: str = HOST) -> list[str]:
    """Return what starts a pod in the project's directory."""
    return [sys.executable, "manage.py", "streamworker", "--host", host, "--port", str(port)]


def ask(port: int, path: str) -> bytes:
    """Return the body of a good answer from this machine, or nothing."""
    connection = HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    # Without hold_ports() a port that nobody listens on yet can connect to itself, and echoes the request.
    with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == 200 else b""
    return b""


@contextlib.contextmanager
def hold_ports(ports: list[int]) -> Iterator[None]:
    """Keep ports for our own programs from before they start until they have ended.

    A port that nobody holds yet can be given to any outgoing connection of this machine,
    and the questions whether its server is there already are such connections: one that
    was given its own target as its source would take the port away from that server. A
    socket that is bound and does not listen prevents this, and lets in whoever sets
    SO_REUSEADDR, as every server here does. Other systems than Linux do not let them in.

    Raises ProcessError where somebody else has a port.
    """
    with contextlib.ExitStack() as held:
        for port in ports if sys.platform == "linux" else ():
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((HOST, port))
            except OSError as error:
                raise ProcessError(f"Port {port} on {HOST} cannot be used: {error.strerror}.") from None
        yield


def print_line(line: str) -> None:
    """Print a line in one piece, whatever other threads print."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
