"""The histogram."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.reading.latency import MAX_MICROSECONDS, Histogram


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_without_values_there_is_no_percentile():
    assert Histogram().percentile(0.99) is None


def test_percentiles_of_small_values_are_exact():
    histogram = histogram_of(list(range(1, 1001)))
    assert histogram.percentile(0.5) == 500
    assert histogram.percentile(0.99) == 990
    assert histogram.percentile(0.999) == 999
    assert histogram.percentile(1) == 1000


@given(st.integers(0, MAX_MICROSECONDS))
def test_a_value_is_found_again_to_a_thousandth(value):
    histogram = histogram_of([value, MAX_MICROSECONDS])
    assert histogram.percentile(0.5) == pytest.approx(value, rel=0.001, abs=0)
    assert histogram.maximum == MAX_MICROSECONDS


@given(st.lists(st.integers(0, 5_000_000), min_size=1), st.lists(st.integers(0, 5_000_000)))
def test_adding_is_as_if_one_had_counted_all(first, second):
    both = histogram_of(first)
    both.add(histogram_of(second))
    whole = histogram_of(first + second)
    assert both.counts == whole.counts
    assert both.percentile(0.9) == whole.percentile(0.9)


def test_many_at_once_count_as_many():
    histogram = Histogram()
    histogram.record(10, times=99)
    histogram.record(3_000_000_000)
    histogram.record(-5)
    assert histogram.percentile(0.5) == 10
    assert histogram.percentile(1) == MAX_MICROSECONDS
    assert sum(histogram.counts) == 101
