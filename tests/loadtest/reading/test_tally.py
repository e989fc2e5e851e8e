"""Loss, doubles and order."""

from __future__ import annotations

import pytest

from loadtest.reading.tally import Tally


def tally_of(numbers: list[int]) -> Tally:
    tally = Tally()
    for number in numbers:
        if number == tally.expected:
            tally.expected += 1
        else:
            tally.deviate(number)
    return tally


@pytest.mark.parametrize(
    ("numbers", "published", "lost", "doubled", "out_of_order"),
    [
        ([], 0, 0, 0, 0),
        ([], 3, 3, 0, 0),
        ([0, 1, 2], 3, 0, 0, 0),
        ([0, 1], 3, 1, 0, 0),
        ([0, 2], 3, 1, 0, 0),
        ([2], 3, 2, 0, 0),
        ([0, 2, 1], 3, 0, 0, 1),
        ([2, 1, 0], 3, 0, 0, 2),
        ([0, 0, 1], 2, 0, 1, 0),
        ([0, 2, 2, 1, 1], 3, 0, 2, 1),
        ([1, 0, 3, 0], 5, 2, 1, 1),
    ],
)
def test_counts(numbers, published, lost, doubled, out_of_order):
    tally = tally_of(numbers)
    assert (tally.lost(published), tally.doubled, tally.out_of_order) == (lost, doubled, out_of_order)


def test_what_was_never_published_is_not_lost():
    # A test that is interrupted ends at a smaller number than a reader has seen.
    assert tally_of([0, 5]).lost(3) == 2
