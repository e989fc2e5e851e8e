"""Child processes of a local cluster, and its ports: nothing gets one before the server that it is for."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.processes import HOST, ChildProcess, ProcessError, ask, hold_ports
from tests.support.redis_server import free_port
from tests.support.sockets import reset_at_close
from tests.support.waiting import wait_until

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="ports are held on Linux only")

# From those that Linux gives to outgoing connections, where the race is.
PORTS = range(33_000, 60_000)
IP_LOCAL_PORT_RANGE = 51


@pytest.fixture
def port() -> int:
    """Return a port that no connection has, or had within the last minute."""
    while True:
        number = random.SystemRandom().choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as connection:
            connection.bind((HOST, number))
            return number


@pytest.fixture
def outgoing(port: int) -> Iterator[socket.socket]:
    """A connection to be, to which the kernel can give no source port but one."""
    with socket.socket() as connection:
        # Closed, it leaves nothing behind that would keep the port for a minute.
        reset_at_close(connection)
        try:
            connection.setsockopt(
                socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, (port << 16 | port).to_bytes(4, sys.byteorder)
            )
        except OSError:
            pytest.skip("this kernel is older than 6.3 and chooses source ports by chance")
        yield connection


def serve(port: int) -> None:
    """Listen as the pods and the front doors do; raises OSError."""
    with socket.create_server((HOST, port), backlog=1):
        pass


@on_linux
def test_a_question_before_its_server_is_there_would_take_the_port_away(outgoing: socket.socket, port: int):
    outgoing.connect((HOST, port))
    assert outgoing.getpeername() == outgoing.getsockname(), "it is connected to itself"
    with pytest.raises(OSError, match="Address already in use"):
        serve(port)


@on_linux
def test_a_port_that_is_held_is_given_to_no_connection(outgoing: socket.socket, port: int):
    with hold_ports([port]):
        with pytest.raises(OSError, match="Cannot assign requested address"):
            outgoing.connect((HOST, port))
        serve(port)


@on_linux
def test_a_port_that_is_held_looks_closed_until_its_server_listens():
    port = free_port()
    with hold_ports([port]), pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), 1)


@on_linux
def test_a_port_that_somebody_has_is_an_error_that_names_it():
    with (
        socket.create_server((HOST, 0)) as taken,
        pytest.raises(ProcessError, match=rf"Port {taken.getsockname()[1]} on {HOST} cannot be used"),
        hold_ports([taken.getsockname()[1]]),
    ):
        pass


@on_linux
def test_a_port_that_a_test_was_given_is_free_for_its_server_and_given_to_nobody_else():
    port = free_port()
    with socket.socket() as stranger, pytest.raises(OSError, match="Address already in use"):
        stranger.bind((HOST, port))
    with hold_ports([port]):
        serve(port)


# Answers every path with its own name for the first argument, on the port that is the second.
SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/busy" else 200)
        self.end_headers()
        self.wfile.write(sys.argv[1].encode())

HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""

Start = Callable[..., ChildProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Run Python code as a child process with a log; what still runs is killed."""
    started: list[ChildProcess] = []

    def start_child(code: str, *arguments: object, log_path: Path | None = tmp_path / "log") -> ChildProcess:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        started.append(ChildProcess("child", command, os.environ, log_path=log_path))
        return started[-1]

    yield start_child
    for process in started:
        process.kill()


def test_child_process_answers(start: Start):
    port = free_port()
    process = start(SERVER, "pod-1", port)
    process.wait_answer(port, "/", lambda body: body == b"pod-1")
    assert process.running
    assert process.stop() == -signal.SIGTERM
    assert not process.running


def test_child_process_that_ended_is_not_waited_for(start: Start):
    process = start("raise SystemExit(3)")
    with pytest.raises(ProcessError, match="child ended with status 3"):
        process.wait_answer(free_port(), "/")


def test_child_process_whose_answer_is_not_as_expected(start: Start, monkeypatch: pytest.MonkeyPatch):
    port = free_port()
    process = start(SERVER, "a stranger", port)
    wait_until("an answer", lambda: ask(port, "/"))
    assert ask(port, "/busy") == b"", "a refusal is no answer"
    monkeypatch.setattr(process, "ready_seconds", 0.1)
    with pytest.raises(ProcessError, match=rf"child did not answer http://{HOST}:{port}/who within 0.1 s"):
        process.wait_answer(port, "/who", lambda body: body == b"pod-1")


def test_child_process_that_is_waited_for_until_somebody_gives_up(start: Start):
    def give_up(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start("import time; time.sleep(60)").wait_answer(free_port(), "/", pause=give_up)


def test_child_process_that_does_not_end_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch):
    process = start(STUBBORN)
    wait_until("the child to ignore SIGTERM", lambda: "ready" in process.log)
    monkeypatch.setattr(process, "stop_seconds", 0.2)
    with pytest.raises(ProcessError, match="child does not end"):
        process.stop()
    assert process.process.returncode == -signal.SIGKILL


def test_child_process_is_asked_by_the_signal_that_is_named(start: Start):
    process = start("import time; time.sleep(60)")
    assert process.stop(signal.SIGHUP) == -signal.SIGHUP
    process.send(signal.SIGTERM)
    assert process.wait(0) == -signal.SIGHUP, "an end comes once"


def test_child_process_without_a_log_prints_after_its_name(start: Start, capsys: pytest.CaptureFixture[str]):
    process = start("import sys; sys.stdout.buffer.write(b'line\\n' * 20_000 + b'\\xff\\nno end')", log_path=None)
    assert process.wait(10) == 0
    *lines, broken, last = capsys.readouterr().out.splitlines()
    assert lines == ["     child | line"] * 20_000
    assert (broken, last) == ("     child | \ufffd", "     child | no end")


def test_child_process_has_a_session_and_no_input_of_its_own(start: Start):
    process = start("import os; print(os.getsid(0) == os.getpid(), repr(os.read(0, 1)))")
    assert process.wait(10) == 0
    assert process.log == "True b''\n"
