"""What Redis' clock says by the process' own."""

from __future__ import annotations

import pytest

from streams.roster.tracing.clock import READINGS_KEPT, RedisClock

AHEAD = 1_700_000_000.0


def near(seconds: float) -> object:
    return pytest.approx(seconds, abs=0.0001)


def test_clock_is_by_the_reading_that_took_the_least_time():
    clock = RedisClock()
    assert clock.ahead == 0
    clock.note(AHEAD + 1000.009, 1000.0, 1000.010)
    assert clock.ahead == near(AHEAD + 0.004)
    clock.note(AHEAD + 1005.0005, 1005.0, 1005.001)
    assert clock.ahead == near(AHEAD)
    clock.note(AHEAD + 1010.001, 1010.0, 1010.010)
    assert clock.ahead == near(AHEAD), "a slow answer says less"


def test_clock_that_was_set_is_believed_at_once():
    clock = RedisClock()
    clock.note(AHEAD + 1000.0005, 1000.0, 1000.001)
    clock.note(AHEAD + 1064.005, 1004.0, 1004.010)
    assert clock.ahead == near(AHEAD + 60)


def test_clock_forgets_what_was_long_ago():
    clock = RedisClock()
    clock.note(AHEAD + 1000.0005, 1000.0, 1000.001)
    for turn in range(READINGS_KEPT):
        clock.note(AHEAD + 1005.005 + turn, 1005.0 + turn, 1005.012 + turn)
    assert clock.ahead == near(AHEAD - 0.001)
