"""How much each caller may publish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.publishing.rates import MAX_CALLERS, Allowance, Rates


def test_take_up_to_the_rate_at_once_and_then_evenly():
    rates = Rates(2)
    assert rates.take("a", 1, 0.0) == Allowance(refused=False, left=1, seconds=1)
    assert rates.take("a", 1, 0.0) == Allowance(refused=False, left=0, seconds=1)
    assert rates.take("a", 1, 0.0).refused
    assert rates.take("a", 1, 0.4).refused, "what was refused took nothing"
    assert not rates.take("a", 1, 0.5).refused
    assert not rates.take("a", 2, 99.0).refused
    assert rates.take("a", 1, 99.0).refused, "who waits for long has no more than one second's"


def test_batch_is_taken_whole_and_paid_for_afterwards():
    rates = Rates(10)
    assert rates.take("a", 500, 0.0) == Allowance(refused=False, left=0, seconds=50)
    refused = rates.take("a", 1, 1.0)
    assert refused == Allowance(refused=True, left=0, seconds=49)
    assert rates.take("a", 1, 49.0).refused
    assert not rates.take("a", 1, 1.0 + refused.seconds).refused


def test_callers_do_not_share():
    rates = Rates(1)
    assert not rates.take("a", 1, 0.0).refused
    assert not rates.take("b", 1, 0.0).refused
    assert rates.take("a", 1, 0.0).refused


def test_only_so_many_callers_are_remembered():
    rates = Rates(1)
    rates.take("first", 100, 0.0)
    rates.take("second", 100, 0.0)
    for number in range(MAX_CALLERS - 2):
        rates.take(str(number), 1, 0.0)
    assert rates.take("first", 1, 0.0).refused, "who asks again is not the oldest"
    rates.take("one more", 1, 0.0)
    assert rates.take("first", 1, 0.0).refused
    assert not rates.take("second", 1, 0.0).refused
    assert len(rates._buckets) == MAX_CALLERS


@pytest.mark.parametrize("rate", [1, 3, 1000])
@given(steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5)), max_size=50))
def test_never_more_than_the_rate_for_long(rate: int, steps: list[tuple[float, int]]):
    """No more than fill the bucket and come into it, but for one batch; a retry in time is taken."""
    rates, now, taken = Rates(rate), 0.0, 0
    for pause, count in steps:
        now += pause
        allowance = rates.take("a", count, now)
        if allowance.refused:
            assert allowance.seconds >= 1
            assert allowance.left == 0
        else:
            taken += count
        assert taken <= rate + now * rate + 5
    last = rates.take("a", 1, now)
    if last.refused:
        # Sums of floats are nearly what they should be.
        assert not rates.take("a", 1, now + last.seconds + 1e-6).refused
