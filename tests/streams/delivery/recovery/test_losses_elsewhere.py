"""What Redis lost before a pod was there, as other pods state it or have marked it."""

from __future__ import annotations

import pytest

from streams.history.coverage import GapReason, Ingress
from streams.history.losses import Loss
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED, HandClock
from tests.streams.delivery.pods import PurePod, event, gaps, spans, story, talk

GAP = "stream-gap"


def pods_of_different_age(hands: HandClock) -> tuple[PurePod, PurePod]:
    """Return a pod that was there when Redis lost something, and one that starts behind that."""
    old, new = PurePod(hands, "old"), PurePod(hands, "new")
    old.start()
    old.live(5)
    return old, new


def start(new: PurePod, *past: str) -> None:
    new.recovery.take_past([event(each) for each in past], [new.hands.now - 8 + n for n in range(len(past))])
    new.recovery.channel_used = False
    new.recovery.subscribed()
    new.recovery.came_back(new.hands.now - 60, from_the_first=True)


def test_a_client_that_came_back_to_a_young_pod_is_told_what_redis_lost_before(hands: HandClock):
    old, new = pods_of_different_age(hands)
    lost_at = hands.now - 2
    old.recovery.journal_lost(lost_at)
    hands.turn(1)
    start(new, "1", "2")
    _, back = new.connect(last_event_id="1")
    _, fresh = new.connect("b")
    talk(new, state=False)
    new.settle()
    new.tell()
    assert story(back) == ["connected", "2"], "nothing here shows the loss"
    talk(old, new)
    new.tell()
    assert story(back) == ["connected", "2", GAP]
    ((since, until),) = spans(back)
    assert since is not None
    assert since <= lost_at <= STARTED + 5 <= until + 0.001
    assert gaps(back)[0]["reason"] == GapReason.REDIS_OUTAGE
    assert story(fresh) == ["connected"], "it is owed nothing from before it came"
    talk(old, new)
    new.tell()
    assert story(back) == ["connected", "2", GAP], "once"


def test_a_client_that_comes_back_later_is_told_at_once(hands: HandClock):
    old, new = pods_of_different_age(hands)
    old.recovery.journal_lost(hands.now - 2)
    hands.turn(1)
    start(new, "1", "2")
    talk(old, new)
    _, back = new.connect(last_event_id="1")
    talk(old, new)
    hands.turn(1)
    new.recovery.resumption.settle()
    assert story(back) == ["connected", GAP, "2"]


def test_a_pod_that_was_there_takes_nothing_from_others(hands: HandClock):
    one, two = PurePod(hands, "one"), PurePod(hands, "two")
    for pod in (one, two):
        pod.start()
        pod.live(3)
    one.recovery.journal_lost(hands.now - 1)
    talk(one, two)
    assert two.history.coverage[JOURNAL].missed_until < STARTED


def test_pods_do_not_make_a_loss_longer_by_saying_it_to_each_other(hands: HandClock):
    old, new = pods_of_different_age(hands)
    other = PurePod(hands, "other")
    old.recovery.journal_lost(hands.now - 2)
    for pod in (new, other):
        start(pod)
    talk(old, new, other)
    before = new.history.coverage[JOURNAL].missed_after(0)
    for _ in range(20):
        hands.turn(1)
        talk(old, new, other)
    assert new.history.coverage[JOURNAL].missed_after(0) == before


@pytest.mark.parametrize("ingress", [CHANNEL, JOURNAL])
def test_a_loss_that_is_marked_is_missing(hands: HandClock, ingress: Ingress):
    pod = PurePod(hands)
    pod.recovery.subscribed()
    pod.recovery.came_back(STARTED - 60, [Loss(ingress, STARTED - 9, STARTED - 5)], from_the_first=True)
    assert pod.history.coverage[ingress].missed_until == STARTED - 5
    assert pod.recovery.statement("one").lost == ([], []), "whoever starts later reads the mark"
    assert (pod.recovery.progress.trusted_until(STARTED - 6) == STARTED - 9) == (ingress is CHANNEL)


def test_another_primary_that_is_found_at_a_start_is_noted(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.distrust(STARTED - 5)
    hands.turn(1)
    start(pod)
    assert pod.recovery.progress.trusted_until(STARTED - 1) == STARTED - 5
    assert all(coverage.missed_until == STARTED for coverage in pod.history.coverage)
    assert pod.recovery.statement("one").lost == ([(6, 1)], [(6, 1)])
