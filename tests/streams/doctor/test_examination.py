from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
import redis

from streams.doctor.examination import _within
from streams.doctor.findings import Finding, State, well


async def test_what_a_look_finds_is_returned():
    async def look() -> Iterable[Finding]:
        return iter([well("clock", "right")])

    assert await _within(1, "clock", look) == [well("clock", "right")]


async def test_a_look_that_takes_too_long_is_one_line():
    async def look() -> Iterable[Finding]:
        await asyncio.Event().wait()
        raise AssertionError

    (found,) = await _within(0.01, "clock", look)
    assert (found.check, found.state, found.says) == ("clock", State.BAD, "no answer within 0.01 s")


@pytest.mark.parametrize(
    ("error", "state", "says"),
    [
        (redis.exceptions.NoPermissionError("No permissions"), State.SKIPPED, "Redis refuses it to its user"),
        (redis.ConnectionError("Connection lost\nby peer"), State.BAD, "Connection lost"),
        (redis.TimeoutError(), State.BAD, "TimeoutError"),
        (KeyError("length"), State.BAD, "could not be looked at: 'length'"),
        (AssertionError(), State.BAD, "could not be looked at: AssertionError"),
    ],
    ids=repr,
)
async def test_a_look_that_fails_is_one_line(error: Exception, state: State, says: str):
    async def look() -> Iterable[Finding]:
        raise error

    (found,) = await _within(1, "clock", look)
    assert (found.check, found.state) == ("clock", state)
    assert says in found.says
    assert "\n" not in found.says
