"""Clients that come back, to their pod or to another, which heard both ingresses in an order of its own."""

from __future__ import annotations

import pytest

from streams.errors import CloseReason
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod, publish, story, talk, two_pods


@pytest.fixture
def hands() -> HandClock:
    return HandClock()


def test_a_client_that_moves_gets_what_its_old_pod_had_not_read_yet(hands: HandClock):
    """The journal of one pod stands still: one id hid once all that the other pod had heard before it."""
    one, two = two_pods(hands)
    connection, writer = one.connect()
    hands.turn(0.5)
    two.journal("j")
    publish("c", one, two)
    assert story(writer) == ["connected", "c"]
    one.registry.close(connection, CloseReason.CLIENT_CLOSED)
    _, writer = two.connect(last_event_id="c")
    talk(one, two, state=False)
    two.settle()
    assert story(writer) == ["connected", "j"]


def test_without_an_answer_what_is_doubtful_is_sent_again(hands: HandClock):
    one, two = two_pods(hands)
    one.connect()
    hands.turn(0.5)
    for pod in (one, two):
        pod.journal("j")
    publish("c", one, two)
    _, writer = two.connect(last_event_id="c")
    two.settle()
    assert story(writer) == ["connected", "j"]


def test_a_replay_that_was_cut_off_is_given_again(hands: HandClock):
    """The old pod is gone, the client is sent what is doubtful, reads none of it, and comes again."""
    pod = PurePod(hands)
    pod.start()
    pod.live(10)
    pod.journal("j")
    pod.channel("c")
    for _ in range(2):
        connection, writer = pod.connect(last_event_id="c")
        pod.settle()
        assert story(writer) == ["connected", "j"]
        pod.registry.close(connection, CloseReason.CLIENT_CLOSED)


def test_a_client_that_waits_has_read_nothing_here(hands: HandClock):
    """It came to a pod that had not heard its id yet, and went on to the next before it was given anything."""
    one, two = two_pods(hands)
    for pod in (one, two):
        pod.journal("j")
    two.channel("c")
    one.connect(last_event_id="c")
    one.channel("c")
    _, writer = two.connect(last_event_id="c")
    talk(one, two, state=False)
    two.settle()
    assert story(writer) == ["connected", "j"]


@pytest.mark.parametrize(
    ("history_seconds", "ago"),
    [
        (300, 70),
        (300, 290),
        pytest.param(
            3600,
            700,
            marks=pytest.mark.xfail(strict=True, reason="proofs are kept for ten minutes, a history for a day"),
        ),
    ],
)
def test_an_id_of_long_ago_is_as_good_as_any(hands: HandClock, history_seconds: float, ago: int):
    """Nobody says any more what had been heard then, and the gap that was told had no beginning to write."""
    pod = PurePod(hands, history_seconds=history_seconds)
    pod.start()
    pod.live(10)
    pod.channel("1", "2")
    pod.live(ago)
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", "2"]


def test_a_pod_that_has_just_started_may_be_behind(hands: HandClock):
    """It has stated that, which every other pod heard, before it greets its first client."""
    old = PurePod(hands, "old")
    old.start()
    old.live(10)
    new = PurePod(hands, "new")
    new.recovery.subscribed()
    for _ in range(3):
        talk(old, new)
        new.recovery.counted(2)
        hands.turn(1)
    assert new.recovery.reached_by_all()
    new.recovery.came_back(hands.now)
    connection, writer = new.connect()
    hands.turn(0.2)
    old.journal("j")
    hands.turn(0.2)
    old.prove_journal()
    talk(old)
    publish("c", old, new)
    assert story(writer) == ["connected", "c"]
    new.registry.close(connection, CloseReason.CLIENT_CLOSED)
    _, writer = old.connect(last_event_id="c")
    talk(old, new, state=False)
    old.settle()
    assert story(writer) == ["connected", "j"]
