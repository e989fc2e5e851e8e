"""The command `publish_event`, as a person and as a script use it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from streams.conf import read_settings
from streams.management.commands.publish_event import Command
from streams.wire.events import ACTIONS
from tests.support.pods import environment, run_manage, run_on_terminal
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


def test_a_long_run_shows_a_person_its_progress(env: dict[str, str], listener: redis.client.PubSub):
    status, shown = run_on_terminal("publish_event", "a", "alert", "50", "10", env=env)
    assert status == 0
    assert "%" in shown
    assert len(heard(listener)) == 50
    assert shown.count("[PUBLISHED]") == 50


def test_a_short_run_shows_none(env: dict[str, str]):
    status, shown = run_on_terminal("publish_event", "a", "alert", "2", env=env)
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
        (["a", "alert", "--deliver-by", "tomorrow"], "is no ISO 8601 time"),
        (["a", "alert", "--deliver-by", "2020-01-01T00:00:00Z"], "is over"),
        (["a", "alert", "--deliver-by", "2100-01-01T00:00:00"], "has no zone"),
        (["a", "alert", "--url", "localhost:3000"], "is no address such as"),
        (["a", "alert", "--token-file", "manage.py"], "holds no token"),
        (["a", "alert", "--token-file", "missing"], "cannot be read"),
        (["a", "alert", "--file", "-"], "CLIENT must be left out"),
        (["--file", "-", "--data", "null"], "--data must be left out"),
        (["--file", "-", "--ttl-ms", "5"], "--ttl-ms must be left out"),
        (["--file", "missing.jsonl"], "missing.jsonl cannot be read: No such file or directory"),
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


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[..., str]:
    """Write events into a file, one a line, and give its path."""

    def file_of(*events: dict[str, Any] | str) -> str:
        path = tmp_path / "events.jsonl"
        path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in events))
        return str(path)

    return file_of


ALERT = {"clientName": "a", "action": "alert"}


def test_publishes_the_lines_of_a_file(
    run_here: Run, listener: redis.client.PubSub, redis_server: RedisServer, file_of: Callable[..., str]
):
    own = {"eventId": "evt-own", "timestamp": "2026-01-05T12:00:00.000Z", "deliverBy": "2100-01-01T00:00:00Z"}
    rest = {
        "ttlMs": 60_000_000_000_000,
        "receipt": True,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    finished = run_here("--file", file_of(ALERT | {"data": 1}, {**ALERT, "data": 2, "durable": True}), "--json")
    assert finished.returncode == 0, finished.stderr
    first, second = (json.loads(line) for line in finished.stdout.splitlines())
    assert [first["receivers"], second["receivers"]] == [1, None]
    assert second["logId"]
    assert [event["eventId"] for event in heard(listener)] == [first["eventId"]]
    finished = run_here("--file", file_of(ALERT | own | rest))
    assert finished.returncode == 0, finished.stderr
    assert heard(listener) == [ALERT | own | rest | {"data": None}]


def test_a_file_into_the_journal(run_here: Run, listener: redis.client.PubSub, file_of: Callable[..., str]):
    finished = run_here("--file", file_of(ALERT, ALERT | {"durable": False}), "--durable")
    assert finished.returncode == 0, finished.stderr
    journal, channel = finished.stdout.splitlines()
    assert "in the journal as" in journal
    assert "handed to 1 pod" in channel
    assert len(heard(listener)) == 1


def test_a_file_of_which_a_line_is_wrong_publishes_nothing(
    run_here: Run, listener: redis.client.PubSub, file_of: Callable[..., str]
):
    finished = run_here("--file", file_of(ALERT, "", ALERT | {"ttl": 5}))
    assert finished.returncode == 2
    assert one_line(finished.stderr).endswith(
        "line 3: There is no field 'ttl' here. Did you mean ttlMs? Nothing was published."
    )
    finished = run_here("--file", file_of(ALERT, *[ALERT | {"action": ""}] * 30))
    *named, sentence = finished.stderr.splitlines()
    assert named == [f"line {number}: action must be a string that is not empty." for number in range(2, 22)]
    assert "30 of 31 events would be refused, so none was published." in sentence
    assert heard(listener) == []


def test_a_file_that_redis_does_not_take_says_how_far_it_came(file_of: Callable[..., str]):
    finished = run_manage("publish_event", "--file", file_of(ALERT, ALERT), env=environment(REDIS_PORT=free_port()))
    assert finished.returncode == 1
    line = one_line(finished.stderr)
    assert "line 1: Redis" in line
    assert line.endswith("0 of 2 event(s) were published, and the others were not.")


def test_a_deadline_as_a_time(run_here: Run, listener: redis.client.PubSub):
    assert run_here("a", "alert", "--deliver-by", "2100-01-01T01:00:00+01:00").returncode == 0
    assert run_here("a", "alert", "--deliver-by", "4102444800000").returncode == 0
    assert [event["deliverBy"] for event in heard(listener)] == ["2100-01-01T01:00:00+01:00", 4_102_444_800_000]


def test_check_publishes_nothing(run_here: Run, listener: redis.client.PubSub, file_of: Callable[..., str]):
    finished = run_here("a", "alert", "--check")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == "alert to a would go over the channel, without a deadline\n"
    finished = run_here("--file", file_of(ALERT, ALERT | {"ttlMs": 60}, ALERT | {"ttlMs": 0}), "--check", "--durable")
    assert finished.returncode == 2
    assert finished.stdout.splitlines()[0] == "line 1: alert to a would go into the journal, without a deadline"
    assert finished.stdout.splitlines()[1].startswith(
        "line 2: alert to a would go into the journal, to be delivered until"
    )
    warning, refusal, sentence = finished.stderr.splitlines()
    assert warning == "Warning: line 2: ttlMs counts milliseconds: 60 is 0.06 s. Did you mean 60000?"
    assert refusal.startswith("line 3: ttlMs must be a whole number")
    assert sentence.endswith("1 of 3 events would be refused.")
    assert heard(listener) == []


def test_check_for_a_script(run_here: Run, file_of: Callable[..., str]):
    finished = run_here("--file", file_of(ALERT | {"eventId": "e", "ttlMs": 60}, "[]"), "--check", "--json")
    taken, refused = (json.loads(line) for line in finished.stdout.splitlines())
    assert (taken["line"], taken["eventId"], taken["durable"]) == (1, "e", False)
    assert len(taken["warnings"]) == 1
    assert refused == {"line": 2, "error": "the line must be an object."}
    assert finished.returncode == 2
    assert one_line(finished.stderr)


def test_check_of_one_event_is_one_line(run_here: Run):
    finished = run_here("a b", "alert", "--check")
    assert finished.returncode == 2
    assert one_line(finished.stderr).startswith("CommandError: clientName must be")
    assert finished.stdout == ""


def test_a_token_is_for_an_address(run_here: Run, tmp_path: Path):
    (tmp_path / "token").write_text("t" * 32)
    finished = run_here("a", "alert", "--token-file", str(tmp_path / "token"))
    assert finished.returncode == 2
    assert "--token-file has a token for --url, which is missing." in one_line(finished.stderr)
