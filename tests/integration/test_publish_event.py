"""The command `publish_event`, as a person and as a script use it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import redis

from streams.conf import read_settings
from streams.management.commands.publish_event import Command
from streams.wire.events import ACTIONS
from tests.support.pods import ROOT, environment, run_manage
from tests.support.redis_server import RedisServer, free_port

CHANNEL = "published-by-command"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_here(settings: Any, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, which is quicker than in one of its own."""
    settings.STREAMS = msgspec.structs.replace(
        read_settings({}), redis_url=redis_server.url, redis_channel=CHANNEL, log_level="info"
    )

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        status: Any = 0
        capsys.readouterr()
        try:
            Command().run_from_argv(["manage.py", "publish_event", *arguments])
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(list(arguments), status, out, err)

    return run_here


@pytest.fixture
def env(redis_server: RedisServer) -> dict[str, str]:
    return environment(REDIS_URL=redis_server.url, REDIS_CHANNEL=CHANNEL)


@pytest.fixture
def run(env: dict[str, str]) -> Run:
    return lambda *arguments: run_manage("publish_event", *arguments, env=env)


@pytest.fixture
def listener(redis_server: RedisServer) -> Iterator[redis.client.PubSub]:
    with redis_server.listening(CHANNEL) as listener:
        yield listener


def heard(listener: redis.client.PubSub) -> list[dict[str, Any]]:
    """Return all that was published; the command has ended, so it comes before the answer to a ping."""
    listener.ping()
    events: list[dict[str, Any]] = []
    while True:
        message = listener.get_message(timeout=5)
        assert message is not None, "Redis does not answer"
        if message["type"] == "pong":
            return events
        events.append(json.loads(message["data"]))


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


@pytest.mark.parametrize("action", ACTIONS)
def test_publishes_every_action(run_here: Run, listener: redis.client.PubSub, action: str):
    finished = run_here("STORE001-LANE01", action)
    assert finished.returncode == 0, finished.stderr
    (event,) = heard(listener)
    assert (event["clientName"], event["action"]) == ("STORE001-LANE01", action)
    assert event["data"]
    line = one_line(finished.stdout)
    assert line.startswith("[PUBLISHED]")
    assert event["eventId"] in line
    assert "1 pod" in line
    assert finished.stderr == ""


def test_publishes_count_events_an_interval_apart(run: Run, listener: redis.client.PubSub):
    began = time.monotonic()
    finished = run("STORE001-LANE01", "payment", "4", "300")
    assert finished.returncode == 0
    assert 0.9 <= time.monotonic() - began < 20
    events = heard(listener)
    assert len({event["eventId"] for event in events}) == len(finished.stdout.splitlines()) == 4
    assert len({event["data"]["transactionId"] for event in events}) == 4


def test_data_and_id_of_ones_own(run_here: Run, listener: redis.client.PubSub):
    finished = run_here("a", "status", "--data", '{"paper": "low", "ü": [1, null]}', "--event-id", "evt-123")
    assert finished.returncode == 0
    (event,) = heard(listener)
    assert (event["eventId"], event["data"]) == ("evt-123", {"paper": "low", "ü": [1, None]})


@pytest.mark.parametrize("data", ["null", "0", '""', "[]", "{}", "false"])
def test_data_that_is_empty_is_still_ones_own(run_here: Run, listener: redis.client.PubSub, data: str):
    assert run_here("a", "status", "--data", data).returncode == 0
    (event,) = heard(listener)
    assert event["data"] == json.loads(data)


def test_json_for_a_script(run_here: Run, listener: redis.client.PubSub):
    finished = run_here("a", "alert", "3", "--json")
    assert finished.returncode == 0
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line["eventId"] for line in lines] == [event["eventId"] for event in heard(listener)]
    assert all(line["receivers"] == 1 for line in lines)
    assert {(line["clientName"], line["action"]) for line in lines} == {("a", "alert")}


def test_a_long_run_shows_a_script_no_progress(run: Run):
    finished = run("a", "alert", "50", "--json")
    assert finished.returncode == 0
    assert len(finished.stdout.splitlines()) == 50
    assert all(json.loads(line) for line in finished.stdout.splitlines())
    assert "%" not in finished.stderr
    assert "\r" not in finished.stderr


def run_on_terminal(env: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run the command where a person looks at it; return its status and all that was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "manage.py", "publish_event", *arguments], cwd=ROOT, env=env, stdout=theirs, stderr=theirs
    )
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
    return process.wait(30), shown.decode()


def test_a_long_run_shows_a_person_its_progress(env: dict[str, str], listener: redis.client.PubSub):
    status, shown = run_on_terminal(env | {"TERM": "xterm"}, "a", "alert", "50", "10")
    assert status == 0
    assert "%" in shown
    assert len(heard(listener)) == 50
    assert shown.count("[PUBLISHED]") == 50


def test_a_short_run_shows_none(env: dict[str, str]):
    status, shown = run_on_terminal(env | {"TERM": "xterm"}, "a", "alert", "2")
    assert status == 0
    assert "%" not in shown


def test_says_when_no_pod_was_listening(run: Run):
    finished = run("a", "alert", "2")
    assert finished.returncode == 0, "it was published"
    assert "no pod" in one_line(finished.stderr)
    assert "handed to 0 pods; delivery is not known" in finished.stdout


def test_does_not_call_delivered_what_pods_were_handed(run_here: Run, listener: redis.client.PubSub):
    finished = run_here("NOBODY", "alert", "--strict")
    assert finished.returncode == 0
    assert re.fullmatch(
        r"\[PUBLISHED\] alert to NOBODY: evt-\w{16}, handed to 1 pod; delivery is not known\n", finished.stdout
    )
    finished = run_here("NOBODY", "alert", "--durable")
    assert re.search(r"in the journal as \d+-\d+; delivery is not known\n$", finished.stdout)


def test_publishes_any_action_with_data(run_here: Run, listener: redis.client.PubSub):
    assert run_here("a", "dance", "--data", "1").returncode == 0
    (message,) = heard(listener)
    assert (message["action"], message["data"]) == ("dance", 1)


@pytest.mark.parametrize(
    ("action", "hint"),
    [("sign", "did you mean signature?"), ("dance", "there are samples of signature, payment")],
)
def test_an_action_without_sample_is_two_lines_at_most(run: Run, action: str, hint: str):
    finished = run("a", action)
    assert finished.returncode == 2
    assert hint in finished.stderr
    assert "--data" in finished.stderr
    assert len(finished.stderr.splitlines()) <= 2


def test_usage_is_one_line(run: Run):
    usage, error = run("a").stderr.splitlines()
    assert usage == "usage: manage.py publish_event CLIENT ACTION [COUNT] [INTERVAL_MS] [options; -h lists them]"
    assert "ACTION" in error


@pytest.mark.parametrize("arguments", [["1"], ["--json"], ["50", "10"]])
def test_without_redis_it_is_one_line_and_status_1(arguments: list[str]):
    port = free_port()
    finished = run_manage("publish_event", "a", "alert", *arguments, env=environment(REDIS_PORT=port))
    assert finished.returncode == 1
    assert f":{port}" in one_line(finished.stderr)
    assert "REDIS_URL" in finished.stderr
    assert finished.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "CLIENT"),
        (["a"], "ACTION"),
        (["a", "dance"], "signature"),
        (["-a", "alert"], "ACTION"),
        (["a b", "alert"], "clientName"),
        (["x" * 129, "alert"], "clientName"),
        (["a", "alert", "0"], "'0'"),
        (["a", "alert", "many"], "'many'"),
        (["a", "alert", "1.5"], "'1.5'"),
        (["a", "alert", "1", "-5"], "-5"),
        (["a", "alert", "1", "soon"], "'soon'"),
        (["a", "alert", "--data", "{"], "not JSON"),
        (["a", "alert", "--data", "x" * 10], "not JSON"),
        (["a", "alert", "--data", '"' + "x" * 300_000 + '"'], "MAX_EVENT_BYTES"),
        (["a", "alert", "--event-id", ""], "eventId"),
        (["a", "alert", "--event-id", "a\nb"], "eventId"),
        (["a", "alert", "5", "--event-id", "evt-1"], "COUNT"),
        (["a", "alert", "--colour"], "--colour"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else None,
)
def test_wrong_arguments_are_status_2_and_publish_nothing(
    run_here: Run, listener: redis.client.PubSub, arguments: list[str], word: str
):
    finished = run_here(*arguments)
    assert finished.returncode == 2, finished
    assert word in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr
    assert heard(listener) == []


@pytest.mark.parametrize("arguments", [["-h"], ["a"], ["a", "dance"], ["a b", "alert"], ["a", "alert", "x"]])
def test_the_process_ends_with_the_same_status(run: Run, run_here: Run, arguments: list[str]):
    there, here = run(*arguments), run_here(*arguments)
    assert there.returncode == here.returncode == (0 if arguments == ["-h"] else 2)
    assert there.stderr == here.stderr


def test_help_shows_examples():
    finished = run_manage("publish_event", "-h", env=environment(REDIS_PORT=free_port()))
    assert finished.returncode == 0
    assert "manage.py publish_event STORE001-LANE01 signature\n" in finished.stdout
    assert "exit status" in finished.stdout.lower()
