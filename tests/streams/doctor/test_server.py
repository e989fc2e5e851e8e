from __future__ import annotations

import pytest

from streams.doctor import server
from streams.doctor.findings import State

LENGTH = 100_000


def test_fields_of_info_are_read():
    assert server.fields("# Server\r\nredis_version:7.0.15\r\nos:a:b\r\n") == {"redis_version": "7.0.15", "os": "a:b"}


@pytest.mark.parametrize(
    ("about", "state", "says"),
    [
        ({"redis_version": "7.0.15"}, State.WELL, "Redis on r answers in 2 ms: Redis 7.0.15"),
        ({"redis_version": "6.2.1"}, State.BAD, "Redis on r answers in 2 ms: Redis 6.2.1"),
        (
            {"redis_version": "7.2.4", "valkey_version": "9.1.2"},
            State.WELL,
            "Redis on r answers in 2 ms: Valkey 9.1.2, as Redis 7.2.4",
        ),
        ({}, State.LOOK, "Redis on r does not tell its version"),
    ],
)
def test_version(about: dict[str, str], state: State, says: str):
    found = server.judge_version("Redis on r", about, 0.002)
    assert (found.state, found.says) == (state, says)


@pytest.mark.parametrize(
    ("role", "state", "says"),
    [
        ("master", State.WELL, "a primary"),
        ("slave", State.BAD, "a read-only replica of r:1"),
        ("sentinel", State.BAD, "no primary but a sentinel"),
        ("", State.LOOK, "does not tell"),
    ],
)
def test_role(role: str, state: State, says: str):
    found = server.judge_role(role, "r:1")
    assert found.state is state
    assert says in found.says


@pytest.mark.parametrize(
    ("length", "durable_log", "state"),
    [
        (None, True, State.WELL),
        (1, True, State.WELL),
        (150_000, True, State.WELL),
        (150_001, True, State.LOOK),
        (150_001, False, State.WELL),
    ],
)
def test_journal(length: int | None, durable_log: bool, state: State):
    assert server.judge_journal(length, durable_log=durable_log, usual_length=LENGTH).state is state


@pytest.mark.parametrize(
    ("persistence", "durable_log", "state", "says"),
    [
        ({"aof_enabled": "1", "aof_last_write_status": "ok"}, True, State.WELL, "kept"),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, True, State.BAD, "aof_last_write_status"),
        ({"aof_enabled": "0", "rdb_last_bgsave_status": "err"}, False, State.BAD, "rdb_last_bgsave_status"),
        ({"aof_enabled": "0", "rdb_last_save_time": "0"}, True, State.LOOK, "loses the journal"),
        ({"aof_enabled": "0", "rdb_last_save_time": "1"}, True, State.LOOK, "after the last snapshot"),
        ({"aof_enabled": "0"}, False, State.WELL, "nothing"),
        ({}, True, State.LOOK, "does not tell"),
    ],
)
def test_persistence(persistence: dict[str, str], durable_log: bool, state: State, says: str):
    found = server.judge_persistence(persistence, durable_log=durable_log)
    assert found.state is state
    assert says in found.says


@pytest.mark.parametrize(
    ("limit", "used", "policy", "state"),
    [
        (0, 2**40, "allkeys-lru", State.WELL),
        (100, 90, "noeviction", State.WELL),
        (100, 91, "noeviction", State.LOOK),
        (100, 0, "volatile-lru", State.LOOK),
        (100, 0, "allkeys-lru", State.BAD),
    ],
)
def test_memory(limit: int, used: int, policy: str, state: State):
    memory = {"maxmemory": str(limit), "used_memory": str(used), "maxmemory_policy": policy}
    assert server.judge_memory(memory).state is state


def test_memory_that_is_not_told():
    assert server.judge_memory({}).state is State.LOOK


@pytest.mark.parametrize(
    ("ahead", "doubt", "state", "says"),
    [
        (0.49, 0.0, State.WELL, "0.490 s"),
        # As good as nothing is known of it.
        (-3.0, 2.6, State.WELL, "5.600 s"),
        (0.5, 0.0, State.LOOK, "0.5 s ahead of"),
        (-5.0, 0.0, State.BAD, "5.0 s behind"),
    ],
)
def test_clock(ahead: float, doubt: float, state: State, says: str):
    found = server.judge_clock(ahead, doubt)
    assert found.state is state
    assert says in found.says
