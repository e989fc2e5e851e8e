from __future__ import annotations

import pytest

from streams.vitals import Vitals
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
