"""A pod that starts: when it greets its clients, and what it knows of the time before."""

from __future__ import annotations

import pytest

from streams.history.coverage import Gap, GapReason
from streams.history.losses import Loss
from streams.wire.pods import Statement
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED, HandClock
from tests.streams.delivery.pods import GAP, PurePod, event, outgoing, spans, story


def test_nobody_is_greeted_before_the_pod_hears(hands: HandClock):
    pod = PurePod(hands)
    connection, writer = pod.connect()
    pod.recovery.telling.tell(200)
    assert story(writer) == []
    pod.start()
    assert not pod.recovery.telling.tell(200)
    assert story(writer) == ["connected"]
    assert connection.told == pod.router.told == (STARTED, STARTED - 300)


def test_a_pod_that_starts_has_heard_the_channel_since_it_subscribed_last(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.subscribed()
    hands.turn(1)
    pod.recovery.disconnected()
    hands.turn(1)
    pod.start()
    channel, journal = pod.history.coverage
    assert (channel.heard_since, journal.heard_since) == (STARTED + 2, STARTED - 298)
    assert pod.recovery.proven == [STARTED + 2, STARTED]


def test_a_subscription_alone_proves_nothing(pod: PurePod, hands: HandClock):
    """Messages come with Redis' answer, and the link may be lost again before the pod knows of that."""
    pod.recovery.disconnected()
    hands.turn(1)
    pod.channel("1")
    taken_at = hands.now
    hands.turn(3)
    pod.recovery.subscribed()
    assert pod.recovery.proven[CHANNEL] == taken_at
    pod.channel("2")
    assert pod.recovery.progress.published_after(pod.history.end - 1, hands.now) < taken_at, "it may have waited"


def test_without_a_journal_nothing_is_missed_there(hands: HandClock):
    pod = PurePod(hands)
    pod.start(journal=False)
    hands.turn(30)
    pod.channel("1", "2")
    hands.turn(30)
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", "2"]
    assert pod.recovery.statement("pod-1").ages == (60.375, 0.0)


def test_where_nobody_uses_the_channel_what_the_journal_has_is_complete(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.channel_used = False
    pod.recovery.take_past([event("1"), event("2")], [STARTED - 9, STARTED - 8])
    pod.recovery.subscribed()
    pod.recovery.came_back(STARTED - 30)
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", "2"]
    # An outage of what nobody uses loses nothing.
    pod.recovery.disconnected()
    hands.turn(60)
    pod.journal("3")
    pod.recovery.subscribed()
    pod.recovery.came_back(None)
    pod.tell()
    assert story(writer) == ["connected", "2", "3"]


def test_a_pod_that_starts_does_not_say_that_an_ingress_is_late(hands: HandClock):
    pod = PurePod(hands)
    hands.turn(60)
    pod.channel("1")
    assert pod.history.coverage[JOURNAL].missed_until < STARTED


def test_what_redis_lost_shortly_before_a_pod_was_there_is_told_to_who_comes_back(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.take_past([event("1"), event("2")], [STARTED - 9, STARTED - 3])
    pod.recovery.subscribed()
    pod.recovery.came_back(STARTED - 60, [Loss(JOURNAL, STARTED - 5, STARTED + 5)], from_the_first=True)
    _, writer = pod.connect()
    pod.tell()
    assert story(writer) == ["connected"]
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", GAP, "2"]
    journal = pod.history.coverage[JOURNAL]
    assert journal.missed_after(STARTED - 9) == Gap(GapReason.REDIS_OUTAGE, STARTED - 5, STARTED)
    assert journal.from_the_first


def test_a_pod_has_spoken_before_it_serves(pod: PurePod):
    """Else nobody could know that it may be behind."""
    pod.recovery.disconnected()
    pod.live(1)
    pod.hands.turn(0.5)
    early = pod.recovery.statement("one")
    pod.hands.turn(0.5)
    pod.recovery.subscribed()
    pod.recovery.take_pod_messages([early])
    assert not pod.recovery.heard_itself, "that was published before"
    pod.hands.turn(0.5)
    pod.recovery.take_pod_messages([pod.recovery.statement("one")])
    assert pod.recovery.heard_itself


@pytest.mark.parametrize(("elsewhere", "trusted"), [(None, True), ((5, 0), True), ((7, 0), True), ((4, 9), False)])
def test_a_journal_of_which_another_pod_read_more_is_not_trusted(
    hands: HandClock, elsewhere: tuple[int, int] | None, trusted: bool
):
    """It was deleted and begun anew: nothing in it shows that there were others."""
    pod = PurePod(hands)
    pod.recovery.subscribed()
    pod.recovery.prove_journal(hands.now, (5, 0))
    pod.recovery.came_back(hands.now, from_the_first=True)
    assert pod.history.coverage[JOURNAL].from_the_first
    pod.recovery.take_pod_messages([Statement("two", "two", 1.0, (0.0, 0.0), elsewhere)])
    assert pod.history.coverage[JOURNAL].from_the_first == trusted
    assert pod.recovery.statement("one").journal_oldest == (5, 0)


def test_an_empty_journal_of_which_another_pod_read_something_is_not_trusted(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.subscribed()
    pod.recovery.take_pod_messages([Statement("two", "two", 1.0, (0.0, 0.0), (4, 0))])
    pod.recovery.came_back(hands.now, from_the_first=True)
    assert not pod.history.coverage[JOURNAL].from_the_first


def test_a_pod_that_subscribes_is_told_what_the_others_have_heard(hands: HandClock):
    old, new = PurePod(hands, "old"), PurePod(hands, "new")
    old.start()
    outgoing(old)
    for _ in range(2):
        new.recovery.subscribed()
        (first,) = outgoing(new)
        assert first == new.recovery.statement("new", asks=True)
        old.recovery.take_pod_messages([first, first])
        assert outgoing(old) == [old.recovery.statement("old")], "once, however many ask"
    new.recovery.take_pod_messages([first])
    old.recovery.take_pod_messages([new.recovery.statement("new")])
    assert outgoing(old, new) == []


def test_what_was_lost_before_a_client_was_there_is_not_told_to_it(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.miss(JOURNAL, hands.now - 5)
    hands.turn(1)
    pod.start()
    pod.live(10)
    _, writer = pod.connect()
    pod.recovery.miss(CHANNEL, hands.now - 1)
    pod.tell()
    assert spans(writer) == [(hands.now - 1, hands.now)]


def test_a_statement_says_since_when_the_pod_is_subscribed_and_until_when_that_is_proved(hands: HandClock):
    """Redis counts who is subscribed, and only this says who of those that speak was."""
    pod = PurePod(hands)
    pod.start()
    hands.turn(5)
    assert pod.recovery.statement("pod").subscribed == (5, 5)
    own = pod.recovery.statement("pod")
    hands.turn(1)
    pod.recovery.take_pod_messages([own])
    hands.turn(1)
    assert pod.recovery.statement("pod").subscribed == (7, 2)
