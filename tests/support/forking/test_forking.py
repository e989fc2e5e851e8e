"""A program that is forked ends as one with an interpreter of its own, and a start that fails is seen."""

from __future__ import annotations

import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.forking.client import ForkServer
from tests.support.pods import ROOT, environment
from tests.support.waiting import wait_until

PROGRAMS = {
    "its end": "print('done')",
    "a status": "import sys; sys.exit(3)",
    "a large status": "import sys; sys.exit(256 + 7)",
    "a sentence": "import sys; sys.exit('It cannot be.')",
    "an exception": "1 / 0",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "an interruption": "raise KeyboardInterrupt",
    "its event loops": "import asyncio; print(asyncio.get_event_loop_policy().__class__)",
    "what it is told": "import sys; print(input(), sys.stdin.isatty(), sys.stdin.read())",
    "its last words": "import atexit; atexit.register(print, 'bye'); print('well')",
    "a thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "what is no longer its own": (
        "import gc, os; held = os.pipe(); gc.collect(); print(len([os.fstat(each) for each in held]))"
    ),
    "what is found out at last": "class A:\n    def __del__(self): 1 / 0\na = A()",
    "no Python": "this is none",
}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(environment(), ROOT)
    yield server
    server.close()


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_run_ends_as_an_interpreter_does(server: ForkServer, tmp_path: Path, text: str):
    path = tmp_path / "manage.py"
    path.write_text(text)
    command, env = [sys.executable, str(path)], environment()
    assert server.takes(command, env)
    told = "a line\nand another\n"
    forked = server.run(command, env, tmp_path, 20, told)
    alone = subprocess.run(
        command, env=env, cwd=tmp_path, input=told, capture_output=True, text=True, check=False, timeout=20
    )
    assert (forked.returncode, forked.stdout) == (alone.returncode, alone.stdout)
    assert forked.stderr.splitlines()[-1:] == alone.stderr.splitlines()[-1:]


def test_settings_are_not_read_before_the_environment_is_known(server: ForkServer, tmp_path: Path):
    path = tmp_path / "manage.py"
    path.write_text("import sys; print([name for name in sys.modules if name.startswith(('sseproject', 'streams.'))])")
    read = literal_eval(server.run([sys.executable, str(path)], environment(), tmp_path, 20).stdout)
    assert "streams.pod" in read
    assert not [name for name in read if name.startswith("sseproject")]


def test_run_of_what_is_not_there(server: ForkServer, tmp_path: Path):
    forked = server.run([sys.executable, "manage.py"], environment(), tmp_path, 20)
    assert (forked.returncode, "No such file or directory" in forked.stderr) == (1, True)


def test_start_says_that_nothing_can_be_forked():
    server = ForkServer(environment() | {"PYTHONHOME": "/nowhere"}, ROOT)
    for _ in range(2):
        with pytest.raises(ChildProcessError, match="What forks programs ended with status 1"):
            server.run([sys.executable, "manage.py"], environment(), ROOT, 20)
    server.close()


def test_whoever_asked_leaves_nothing_behind_however_it_ends(tmp_path: Path):
    server = ForkServer(environment(), ROOT)
    path = tmp_path / "manage.py"
    path.write_text("import time; time.sleep(60)")
    with (tmp_path / "out").open("wb") as output:
        process = server.start([sys.executable, str(path)], environment(), tmp_path, output, output)
        assert psutil.pid_exists(process.pid)
        # As the kernel closes what it asks by.
        server.close()
    wait_until("the program to be gone", lambda: not psutil.pid_exists(process.pid))
