from __future__ import annotations

from math import inf

import pytest

from streams.history.losses import MAX_STATED, SAME_SECONDS, Loss, RedisLosses
from streams.wire.pods import NO_LOSSES, Losses
from tests.streams.builders import CHANNEL, JOURNAL

NOW = 1000.0


def test_a_loss_is_stated_for_as_long_as_the_history_is():
    losses = RedisLosses(60)
    assert losses.ages(NOW) == NO_LOSSES
    losses.found(Loss(JOURNAL, NOW - 5, NOW))
    assert losses.ages(NOW + 1) == ([], [(6, 1)])
    losses.found(Loss(CHANNEL, NOW + 2, NOW + 3))
    assert losses.ages(NOW + 59) == ([(57, 56)], [(64, 59)])
    assert losses.ages(NOW + 60) == ([(58, 57)], [])


def test_of_many_losses_the_latest_are_stated():
    losses = RedisLosses(1000)
    for number in range(10):
        losses.found(Loss(CHANNEL, NOW + 10 * number, NOW + 10 * number + 1))
    channel, _ = losses.ages(NOW + 100)
    assert len(channel) == MAX_STATED
    assert channel[-1] == (10, 9)


def test_what_began_before_a_pod_served_is_new_to_it_once():
    losses = RedisLosses(60)
    stated = ([(9.0, 4.0)], [(8.0, 3.0)])
    assert losses.take(stated, NOW - 0.5, NOW, (-inf, NOW - 6)) == [
        Loss(CHANNEL, NOW - 9.5, NOW - 4),
        Loss(JOURNAL, NOW - 8.5, NOW - 3),
    ]
    later = ([(10.0, 5.0)], [(9.0, 4.0)])
    assert losses.take(later, NOW, NOW + 1, (-inf, NOW - 6)) == [], "the same, a second later"
    assert losses.ages(NOW) == NO_LOSSES, "what others state is not said again"


@pytest.mark.parametrize("served_since", [NOW - 9, NOW - 20])
def test_what_began_while_a_pod_served_it_finds_by_itself(served_since: float):
    assert RedisLosses(60).take(([], [(9.0, 4.0)]), NOW, NOW, (-inf, served_since)) == []


def test_a_loss_that_was_found_is_not_new():
    losses = RedisLosses(60)
    losses.found(Loss(JOURNAL, NOW - 8, NOW - 4))
    assert losses.take(([], [(8 + SAME_SECONDS, 4.0)]), NOW, NOW, (-inf, NOW)) == []
    assert losses.take(([], [(8 + SAME_SECONDS + 1, 4.0)]), NOW, NOW, (-inf, NOW)) != []


def test_a_loss_that_lasted_for_longer_is_new():
    losses = RedisLosses(60)
    losses.know(Loss(JOURNAL, NOW - 50, NOW - 40))
    stated: Losses = ([], [(50.0, 10.0)])
    assert losses.take(stated, NOW, NOW, (-inf, NOW - 39)) == [], "this pod served before it ended"
    assert losses.take(stated, NOW, NOW, (-inf, NOW)) == [Loss(JOURNAL, NOW - 50, NOW - 10)]


def test_what_was_found_before_a_pod_was_away_is_no_news():
    stated: Losses = ([], [(50.0, 40.0)])
    assert RedisLosses(60).take(stated, NOW, NOW, (NOW - 30, NOW)) == []
    assert RedisLosses(60).take(stated, NOW, NOW, (NOW - 45, NOW)) != []


def test_of_a_loss_the_part_before_a_moment_counts_unless_there_is_none():
    loss = Loss(JOURNAL, NOW - 8, NOW - 4)
    assert loss.before(NOW - 6) == Loss(JOURNAL, NOW - 8, NOW - 6)
    assert loss.before(NOW) == loss
    assert loss.before(NOW - 9) == loss
