"""Clients that move from pod to pod, of which each heard both ingresses in an order of its own."""

from __future__ import annotations

import pytest

from streams.errors import CloseReason
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import GAP, PurePod, live, publish, story, talk, two_pods


def test_a_client_that_moves_does_not_get_twice_what_its_old_pod_had_written(hands: HandClock):
    one, two = two_pods(hands)
    connection, writer = one.connect()
    hands.turn(0.5)
    for pod in (one, two):
        pod.journal("j")
    publish("c", one, two)
    assert story(writer) == ["connected", "j", "c"]
    one.registry.close(connection, CloseReason.CLIENT_CLOSED)
    _, writer = two.connect(last_event_id="c")
    assert story(writer) == ["connected"], "it is not known yet what it has"
    talk(one, two, state=False)
    publish("d", one, two)
    two.settle()
    assert story(writer) == ["connected", "d"]


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


def test_a_message_from_before_a_client_was_there_is_sent_when_it_was_published_again(hands: HandClock):
    """What its old pod had of it was the first copy, which the client never read."""
    one, two = two_pods(hands)
    for pod in (one, two):
        pod.journal("j")
    live(one, two, seconds=5)
    connection, writer = one.connect()
    publish("c", one, two)
    assert story(writer) == ["connected", "c"]
    one.registry.close(connection, CloseReason.CLIENT_CLOSED)
    hands.turn(0.5)
    for pod in (one, two):
        pod.journal("j")
    _, writer = two.connect(last_event_id="c")
    talk(one, two, state=False)
    two.settle()
    assert story(writer) == ["connected", "j"]


@pytest.mark.parametrize("writer_is_there", [True, False])
def test_an_id_that_a_pod_missed_is_no_reason_to_send_everything_again(hands: HandClock, writer_is_there: bool):
    """It had the whole history sent again; any pod that heard the event knows when that was."""
    one, two = two_pods(hands)
    publish("old", one, two)
    live(one, two, seconds=20)
    connection, _ = one.connect()
    hands.turn(0.25)
    publish("before", one, two)
    two.recovery.disconnected()
    hands.turn(0.5)
    publish("missed", one)
    if not writer_is_there:
        # Another life of it, which heard the event and wrote it to nobody.
        one.registry.close(connection, CloseReason.FAILED)
    hands.turn(0.5)
    two.come_back()
    publish("after", one, two)
    _, writer = two.connect(last_event_id="missed")
    talk(one, two, state=False)
    two.settle()
    again = [] if writer_is_there else ["before"]
    assert story(writer) == ["connected", GAP, *again, "after"]


def test_without_an_answer_all_that_is_there_is_sent_again(hands: HandClock):
    one, two = two_pods(hands)
    publish("old", one, two)
    live(one, two, seconds=20)
    _, writer = two.connect(last_event_id="missed")
    talk(one, two, state=False)
    two.settle()
    assert story(writer) == ["connected", GAP, "old"]


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
        (3600, 700),
        (3600, 3500),
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
    for _ in range(2):
        hands.turn(1)
        talk(old, new)
        new.recovery.counted(2, 0.001)
    assert new.recovery.heard_itself
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


def missing_a_copy(hands: HandClock) -> tuple[PurePod, PurePod]:
    """Let one pod write an event that the other missed, with what came next, and then publish it again."""
    one, two = two_pods(hands)
    connection, writer = one.connect()
    two.history.copies_seen = True
    two.recovery.disconnected()
    hands.turn(1)
    publish("e", one)
    hands.turn(1)
    publish("lost", one)
    assert story(writer) == ["connected", "e", "lost"]
    hands.turn(1)
    two.recovery.subscribed()
    two.recovery.came_back(None)
    live(one, two, seconds=2)
    publish("e", one, two)
    one.registry.close(connection, CloseReason.CLIENT_CLOSED)
    return one, two


def test_a_client_that_read_a_copy_which_a_pod_missed_loses_nothing(hands: HandClock):
    """It comes back with the id of the first; what came between the two was hidden behind the second."""
    one, two = missing_a_copy(hands)
    _, writer = two.connect(last_event_id="e")
    talk(one, two, state=False)
    hands.turn(1)
    two.recovery.resumption.settle()
    assert story(writer)[:2] == ["connected", GAP]


def test_a_client_is_told_of_what_was_missed_before_a_copy_though_nobody_answers(hands: HandClock):
    _, two = missing_a_copy(hands)
    _, writer = two.connect(last_event_id="e")
    two.settle()
    assert story(writer) == ["connected", GAP, "e"], "a double has an id, a loss has none"


def test_a_client_that_comes_back_to_the_pod_that_wrote_it_is_given_no_copy(hands: HandClock):
    _, two = missing_a_copy(hands)
    connection, writer = two.connect()
    live(two, seconds=1)
    publish("f", two)
    publish("g", two)
    two.registry.close(connection, CloseReason.CLIENT_CLOSED)
    _, writer = two.connect(last_event_id="f")
    assert story(writer) == ["connected", "g"]
