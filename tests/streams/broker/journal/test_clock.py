"""Redis' clock beside this process's, from answers that come soon, late, or after it was set."""

from __future__ import annotations

import pytest

from streams.broker.journal.clock import CLOCK_STEP_SECONDS, RedisClock

AHEAD = 1_000.0
SET_BACK = CLOCK_STEP_SECONDS + 2.0


class Asked:
    """A clock that is asked at moments of this process, and how Redis' own stands to them."""

    def __init__(self) -> None:
        self.clock = RedisClock()
        self.now = 50.0
        self.ahead = AHEAD

    def answer(self, *, there: float = 0.0, back: float = 0.0) -> None:
        """Ask, with so many seconds on the way to Redis and back from it."""
        asked = self.now
        read_at = asked + there
        self.now = read_at + back
        self.clock.compare(read_at + self.ahead, asked, self.now)

    @property
    def known(self) -> tuple[float, float]:
        return self.clock.ahead_seconds, self.clock.short_seconds


@pytest.fixture
def asked() -> Asked:
    asked = Asked()
    asked.clock.set(asked.now + asked.ahead, asked.now, asked.now)
    return asked


def test_set_believes_whatever_redis_says():
    clock = RedisClock()
    clock.set(1_060.0, 50.0, 52.0)
    assert (clock.ahead_seconds, clock.short_seconds) == (1_008.0, 2.0)
    clock.set(60.0, 53.0, 54.0)
    assert (clock.ahead_seconds, clock.short_seconds) == (6.0, 1.0)


def test_compare_keeps_what_a_nearer_answer_showed(asked: Asked):
    asked.answer(back=0.5)
    assert asked.known == (AHEAD, 0.0)


def test_compare_takes_a_nearer_answer():
    asked = Asked()
    asked.clock.set(asked.now + asked.ahead - 0.75, asked.now - 0.75, asked.now)
    asked.answer(there=0.25, back=0.25)
    assert asked.known == (AHEAD - 0.25, 0.5)


def test_compare_follows_a_clock_that_was_set_forward(asked: Asked):
    asked.ahead += 3_600
    asked.answer()
    assert asked.clock.ahead_seconds == AHEAD + 3_600


def test_compare_believes_a_clock_that_was_set_back_at_the_second_answer(asked: Asked):
    asked.ahead -= SET_BACK
    asked.answer(there=0.5)
    assert asked.known == (AHEAD, 0.0)
    asked.answer(there=0.5)
    assert asked.known == (AHEAD - SET_BACK, 0.5)


def test_compare_forgets_one_answer_that_was_off(asked: Asked):
    for _ in range(2):
        asked.ahead -= SET_BACK
        asked.answer()
        asked.ahead += SET_BACK
        asked.answer()
    assert asked.known == (AHEAD, 0.0)


def test_compare_takes_no_late_answer_for_a_step(asked: Asked):
    for _ in range(3):
        asked.answer(back=SET_BACK)
    assert asked.known == (AHEAD, 0.0)


def test_compare_knows_a_clock_that_was_set_forward_no_better_than_by_that_answer(asked: Asked):
    asked.ahead += 0.5
    asked.answer(there=0.25)
    assert asked.known == (AHEAD + 0.5, 0.25)


def test_is_behind_where_an_answer_is_late_or_the_clock_was_set_back():
    clock = RedisClock()
    clock.set(AHEAD, 0.0, 0.0)
    assert clock.behind_seconds(AHEAD + 5.0, 5.05) == 0
    assert clock.behind_seconds(AHEAD + 5.0, 5.25) == pytest.approx(0.25)


def test_what_an_answer_that_is_late_may_hide_is_no_more_than_it_took():
    clock = RedisClock()
    clock.set(AHEAD, 0.0, 0.0)
    assert clock.hidden_seconds(AHEAD + 5.0, 4.0, 5.0) == 0, "it came at once"
    assert clock.hidden_seconds(AHEAD + 5.0, 4.75, 5.5) == 0.25
    assert clock.hidden_seconds(AHEAD + 5.0, 5.25, 5.5) == 0, "the clock was set back"
