"""Someone who follows a page to the letter: types its commands and looks for what it shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.pods import documented_variables
from tests.support.waiting import wait_until

OUTPUT_SECONDS = 30.0
COMMAND_SECONDS = 30.0

typed = pytest.mark.skipif(
    not shutil.which("make") or not shutil.which("curl"), reason="who types a page's commands needs make and curl"
)


class Step(NamedTuple):
    """A command of a page, and the lines that the page shows after it."""

    command: str
    stays_open: bool
    expected: list[str]


def tour(text: str) -> list[Step]:
    """Read the steps of a text: what stands in `sh` is typed, what follows in other blocks is shown."""
    steps: list[Step] = []
    for kind, body in re.findall(r"(?ms)^```([\w -]+)\n(.*?)^```$", text):
        if kind.startswith("sh"):
            steps.append(Step(body.strip(), kind.endswith("keep-open"), []))
        else:
            steps[-1].expected.extend(line for line in body.splitlines() if line)
    return steps


def normal(text: str) -> str:
    """Blot out what differs from one run to the next."""
    for pattern, stand_in in (
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"evt-[0-9A-F]{16}", "EVENT-ID"),
        (r"TXN-[0-9A-F]{8}", "TXN"),
        (r"\b\d{13}-\d+\b", "LOG-ID"),
        (r'"amount":[\d.]+', '"amount":N'),
        (r'"uptime":( ?)\d+', r'"uptime":\1N'),
        (r"retry: \d+", "retry: N"),
        # Which of three it is decides a hash of its port.
        (r'"podName":"pod-[123]"', '"podName":"POD"'),
        (r"\(process \d+\)", "(process N)"),
        (r"\((nginx|haproxy)\)", "(FRONT-DOOR)"),
    ):
        text = re.sub(pattern, stand_in, text)
    return text


class Newcomer:
    """Types what a page says into terminals whose output all goes to one file."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._output = folder / "terminals.txt"
        self._output.touch()
        self._open: list[subprocess.Popen[bytes]] = []
        ours = {*documented_variables(), "MAKEFLAGS", "MFLAGS"}
        self._env = {name: value for name, value in os.environ.items() if name not in ours}
        self._env |= {"PORT": str(ports["3000"]), "REDIS_PORT": str(ports["6379"]), "PYTHONUNBUFFERED": "1"}
        # Off a terminal curl draws a progress meter, unless its own settings say otherwise.
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        self._env["CURL_HOME"] = str(folder)
        self._env["PATH"] = f"{folder / 'stand-ins'}{os.pathsep}{os.environ['PATH']}"

    def follow(self, step: Step) -> None:
        """Type a command, and wait until everything that the page shows after it is there."""
        offset = self._output.stat().st_size
        self._type(self._with_ports(step.command), step.stays_open)
        expected = [normal(self._with_ports(line)) for line in step.expected]

        def missing() -> list[str]:
            shown = normal(self._output.read_bytes()[offset:].decode()).splitlines()
            return [line for line in expected if line not in shown]

        try:
            wait_until("the output", lambda: not missing(), OUTPUT_SECONDS)
        except AssertionError:
            pytest.fail(f"{step.command}\ndid not show {missing()}\nbut\n{self._output.read_text()[offset:]}")

    def wait_until_ready(self) -> None:
        """Ask the pod until it says that it receives everything."""
        url = self._with_ports("http://localhost:3000/health/ready")
        ask = ["curl", "--fail", "--silent", "--output", os.devnull, url]
        wait_until("the pod to be ready", lambda: subprocess.run(ask).returncode == 0)

    def leave(self) -> None:
        """Press Ctrl-C in every terminal, the last one first."""
        for process in reversed(self._open):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(COMMAND_SECONDS)

    def _type(self, command: str, stays_open: bool) -> None:
        with self._output.open("ab") as output:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._open.append(process)
        if not stays_open:
            assert process.wait(COMMAND_SECONDS) == 0, f"{command}\n{self._output.read_text()}"

    def _with_ports(self, text: str) -> str:
        for written, free in self._ports.items():
            text = re.sub(rf"\b{written}\b", str(free), text)
        return text.replace("redis-cli ", f"redis-cli -p {self._ports['6379']} ")


# Enough of redis-cli for `redis-cli -p PORT PUBLISH CHANNEL MESSAGE`.
REDIS_CLI = """
import sys, redis
_, _, port, *command = sys.argv
print(redis.Redis(port=int(port)).execute_command(*command))
"""


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def take(newcomer: Newcomer, text: str) -> int:
    """Follow a text's steps one after the other; return how many there are."""
    steps = tour(text)
    for step in steps:
        newcomer.follow(step)
        if step.command == "make run":
            # The pod says that it is subscribed a moment before it has caught up; nobody types that fast.
            newcomer.wait_until_ready()
    return len(steps)
