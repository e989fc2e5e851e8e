"""Asks a server for processes, which then look like those of `subprocess`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

BIN = Path(sys.executable).parent


class Forked:
    """One process, with what Popen has of it; it is a child of the server."""

    stdout = None

    def __init__(self, pid: int, arguments: Sequence[str], status: int) -> None:
        self.pid, self.args = pid, arguments
        self.returncode: int | None = None
        self._status = status
        # Several threads may wait.
        self._lock = threading.Lock()

    def __del__(self) -> None:
        os.close(self._status)

    def poll(self) -> int | None:
        return self._look(0)

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None and is_readable(self._status, seconds):
            with self._lock:
                if self.returncode is None:
                    self.returncode = self._read()
        return self.returncode

    def _read(self) -> int:
        if not (status := os.read(self._status, 16)):
            raise ChildProcessError(f"What forked {self.args} has ended, and nobody knows how it ends; see its lines.")
        return int(status)

    def wait(self, timeout: float | None = None) -> int:
        if (code := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """A server of which each request is answered before the next; `environment` is Python's own part of a program's."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._python = pythons(environment)
        self._lock = threading.Lock()
        self._asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with answering:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forking.server", str(answering.fileno())],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[answering.fileno()],
                start_new_session=True,
            )

    def takes(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Say whether a program is one of Python's, with the same settings of the interpreter."""
        script = Path(command[1] if command[0] == sys.executable else command[0])
        plain = script.name == "manage.py" or (script.parent == BIN and script.name in ("daphne", "uvicorn"))
        return plain and pythons(environment) == self._python

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        out: BinaryIO,
        errors: BinaryIO,
        stdin: int = subprocess.DEVNULL,
    ) -> Forked:
        arguments = command[command[0] == sys.executable :]
        request = {
            "arguments": arguments,
            "environment": dict(environment),
            "directory": str(directory),
            # A child inherits these.
            "ignored": [number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN],
        }
        read, write = os.pipe()
        try:
            with Path(os.devnull).open("rb") as nothing:
                given = nothing.fileno() if stdin == subprocess.DEVNULL else stdin
                pid = self._ask(json.dumps(request).encode(), [given, out.fileno(), errors.fileno(), write])
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        return Forked(pid, command, read)

    def _ask(self, request: bytes, descriptors: list[int]) -> int:
        with self._lock, contextlib.suppress(ConnectionError):
            socket.send_fds(self._asking, [request], descriptors)
            if answer := self._asking.recv(16):
                return int(answer)
        raise ChildProcessError(f"What forks programs ended with status {self._process.wait()}; see its lines.")

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, timeout: float, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its input is a file."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            given.write(stdin.encode())
            given.seek(0)
            process = self.start(command, environment, directory, out, errors, given.fileno())
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            texts = [file.read().decode() for file in (out, errors) if file.seek(0) == 0]
        return subprocess.CompletedProcess(list(command), code, *texts)

    def close(self) -> None:
        self._asking.close()
        self._process.wait()


def is_readable(descriptor: int, seconds: float | None) -> bool:
    """Wait until a descriptor, whatever its number is, has something to read or is at its end; None waits for ever."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if seconds is None else 1000 * seconds))


def pythons(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a new interpreter reads of an environment."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG", "LD_"))}


_servers: list[ForkServer] = []


@contextlib.contextmanager
def forking(environment: Mapping[str, str], directory: Path) -> Iterator[None]:
    """Fork programs for the length of a block, where this system can tell of their ends."""
    if not hasattr(os, "pidfd_open"):
        yield
        return
    server = ForkServer(environment, directory)
    _servers.append(server)
    try:
        yield
    finally:
        _servers.remove(server)
        server.close()


def fork_server(command: Sequence[str], environment: Mapping[str, str]) -> ForkServer | None:
    """Return the server that may start a program, or None where it has to be started as it is."""
    return next((server for server in _servers if server.takes(command, environment)), None)
