from __future__ import annotations

import pytest

from streams.vitals import Rate, Vitals
from tests.streams.clocks import HandClock


@pytest.mark.parametrize(("seconds", "said"), [(7200.0, "set forward by 7200 s"), (-7200.0, "set back by 7200 s")])
def test_look_at_clock_says_once_that_it_was_set(seconds: float, said: str, caplog: pytest.LogCaptureFixture):
    hands = HandClock()
    vitals = Vitals(hands.clock)
    hands.turn(10)
    vitals.look_at_clock()
    assert vitals.clock_steps == 0
    hands.set_wall(seconds)
    vitals.look_at_clock()
    vitals.look_at_clock()
    assert vitals.clock_steps == 1
    (line,) = caplog.messages
    assert said in line


def test_look_at_clock_says_nothing_of_a_small_correction(caplog: pytest.LogCaptureFixture):
    hands = HandClock()
    vitals = Vitals(hands.clock)
    for _ in range(10):
        hands.set_wall(0.5)
        vitals.look_at_clock()
    assert (vitals.clock_steps, caplog.messages) == (0, [])


def test_rate_is_that_of_the_last_readings():
    rate = Rate(0.0)
    assert [rate.read(at, 60) for at in (5.0, 10.0, 15.0, 20.0, 25.0)] == [12.0, 6.0, 4.0, 3.0, 0.0]


def test_rate_of_no_time_at_all_is_none():
    assert Rate(5.0).read(5.0, 7) == 0.0


def test_take_longest_lag_begins_anew():
    vitals = Vitals()
    for seconds in (0.01, 0.3, 0.02):
        vitals.note_lag(seconds)
    assert vitals.loop_lag_seconds == 0.02
    assert [vitals.take_longest_lag(), vitals.take_longest_lag()] == [0.3, 0.0]
