"""`manage.py loadtest` as an operator calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from tests.support.pods import ROOT, environment, run_manage
from tests.support.redis_server import free_port


def words(hub, *arguments: str) -> list[str]:
    return ["loadtest", "--redis", hub.redis_url, "--url", f"http://127.0.0.1:{hub.port}", "-n", "10", *arguments]


def start(hub, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", *words(hub, *arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(hub, *arguments: str) -> tuple[int, str, str]:
    done = run_manage(*words(hub, *arguments), env=environment())
    return done.returncode, done.stdout, done.stderr


def test_prints_a_table(hub):
    status, output, errors = run(hub, "--rate", "100", "--seconds", "0.5")
    assert (status, errors) == (0, "")
    rows = dict(line.split("  ", 1) for line in output.splitlines())
    assert rows["connected"].strip() == "10 of 10"
    assert rows["events read"].strip() == "50"
    assert rows["lost"].strip() == "0"


def test_prints_json(hub):
    status, output, _ = run(hub, "--rate", "0", "--seconds", "0.1", "--json")
    assert status == 0
    assert json.loads(output)["connected"] == 10


def test_a_loss_is_one_line_and_status_1(hub):
    hub.mangle = lambda count, frame: [] if count == 7 else [frame]
    status, _, errors = run(hub, "--rate", "100", "--seconds", "0.5")
    assert status == 1
    assert errors == "CommandError: 1 events lost, 0 doubled, 0 out of order.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--rate", "fast"), "'fast' is not a number from 0 to"),
        (("--foreign", "1.5"), "'1.5' is not a number from 0 to 1"),
        (("-n", "0"), "'0' is not a whole number from 1 to 100000"),
        (("--size", "10"), "--size is 10, but an event has at least"),
        (("--prefix", "no space"), "'no space' is not 1 to 64 characters"),
        (("--redis", "redis://cache?health_check_interval=10"), "without the option health_check_interval"),
    ],
)
def test_wrong_arguments_are_status_2(hub, arguments, sentence):
    status, output, errors = run(hub, *arguments)
    assert (status, output) == (2, "")
    assert sentence in errors
    assert "Traceback" not in errors


def test_no_redis_is_one_line(hub):
    port = free_port()
    status, _, errors = run(hub, "--redis", f"redis://127.0.0.1:{port}")
    assert status == 1
    assert errors.startswith(f"CommandError: Redis at 127.0.0.1:{port} cannot be reached")
    assert errors.count("\n") == 1


def test_ctrl_c_prints_what_was_measured_so_far(hub):
    process = start(hub, "--rate", "100", "--seconds", "60", "--json")
    deadline = time.monotonic() + 30
    while hub.count < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Interrupted" in errors
    result = json.loads(output)
    assert 20 <= result["published"] == result["read"] < 6000
