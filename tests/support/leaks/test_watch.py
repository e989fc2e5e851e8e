"""What is searched, and that each leak is told once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.streams.auth.issuer import token
from tests.support.leaks.keys import search_keys
from tests.support.leaks.watch import Watch
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

PROGRAM = "import sys; print('begun', sys.argv[1], flush=True); input(); print('and', sys.argv[1][:-9], end='')"


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A watch of the test's own: what it finds fails nothing."""
    own = Watch()
    monkeypatch.setattr("tests.support.leaks.keys.watch", own)
    return own


def test_log_is_searched_while_it_grows_and_at_its_end(watch: Watch, tmp_path: Path):
    path, given = tmp_path / "pod-1.log", token()
    command = [sys.executable, "-c", PROGRAM, given]
    with path.open("wb") as log, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log) as process:
        watch.follow(process, path, {})
        wait_until("its first line", lambda: b"\n" in path.read_bytes())
        watch.search_logs()
        watch.search_logs()
        assert watch.take() == [f"the log pod-1.log shows a JWT, eyJhbG… of {len(given)} bytes"]
        # As in a folder that a test makes for itself.
        path.unlink()
        process.communicate(b"\n")
    watch.search_logs()
    assert watch.take() == [f"the log pod-1.log shows a JWT, eyJhbG… of {len(given) - 9} bytes"]
    watch.search_logs()
    assert watch.take() == []


def test_log_that_is_a_pipe_is_left_to_whoever_reads_it(watch: Watch, tmp_path: Path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch.follow(process, path, {})
        watch.search_logs()
        process.communicate(b"\n")
    assert watch.take() == []


@pytest.mark.parametrize("kind", ["name", "string", "hash", "list", "set", "zset", "stream"])
def test_keys_are_searched(watch: Watch, mortal_redis: RedisServer, kind: str):
    mortal_redis.start()
    client: Any = mortal_redis.client
    given = token()
    put = {
        "name": lambda: client.set(f"revoked:{given}", "1"),
        "string": lambda: client.set("a", given),
        "hash": lambda: client.hset("a", given, "1"),
        "list": lambda: client.rpush("a", "b", given),
        "set": lambda: client.sadd("a", given),
        "zset": lambda: client.zadd("a", {given: 1}),
        "stream": lambda: client.xadd("a", {"event": given}),
    }
    search_keys(client)
    assert watch.take() == []
    put[kind]()
    search_keys(client)
    (found,) = watch.take()
    assert "shows a JWT" in found
