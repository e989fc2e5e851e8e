"""What a pod says of itself, and what it proves by that."""

from __future__ import annotations

from typing import cast

import pytest

from streams.delivery.handover import SETTLE_SECONDS
from streams.wire.pods import Answer, PodMessage, Question
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod, event, outgoing, publish, story, talk, two_pods


def test_what_comes_back_proves_the_channel(pod: PurePod):
    sent = pod.hands.turn(0.5)
    statement = pod.recovery.statement("pod-1")
    assert (statement.life, statement.pod_name, statement.sent) == ("one", "pod-1", sent)
    assert statement.ages == pytest.approx((0.5, 0.5))
    pod.hands.turn(0.2)
    pod.recovery.take_pod_messages([statement])
    assert pod.recovery.proved_at[CHANNEL] == pod.recovery.proven[CHANNEL] == sent
    late = statement.__class__("one", "pod-1", sent - 1, (0.0, 0.0))
    pod.recovery.take_pod_messages([late])
    assert pod.recovery.proved_at[CHANNEL] == pod.recovery.proven[CHANNEL] == sent
    other = statement.__class__("two", "pod-2", sent + 99, (0.0, 0.0))
    pod.recovery.take_pod_messages([other])
    assert pod.recovery.proven[CHANNEL] == sent


def test_the_journals_proof_does_not_go_back(pod: PurePod):
    pod.prove_journal(pod.hands.now + 1)
    pod.prove_journal()
    assert pod.recovery.proven[JOURNAL] == pod.hands.now + 1


def test_a_pod_does_not_state_what_it_has_not_told_yet(pod: PurePod):
    """Other pods, and this one, would not look further back for a client that leaves meanwhile."""
    pod.recovery.disconnected()
    pod.hands.turn(3)
    pod.recovery.subscribed()
    assert pod.recovery.statement("pod-1").ages[CHANNEL] == pytest.approx(3)
    pod.recovery.came_back(None)
    assert pod.recovery.statement("pod-1").ages[CHANNEL] == 0


def test_a_clock_of_redis_that_was_set_makes_the_journals_moments_doubtful(pod: PurePod):
    now = pod.hands.now
    pod.recovery.take_past([event("1")], [now - 9], now - 9)
    pod.hands.turn(1)
    assert pod.history.journal_unsure.around(now - 5) == (now - 9, now)
    pod.recovery.take_journal([event("2")], [now], now)
    assert pod.history.journal_unsure.around(now - 5) == (now - 9, now + 1)


def test_what_nobody_understands_is_ignored(pod: PurePod):
    pod.recovery.take_pod_messages([cast("PodMessage", object())])


def test_a_pod_that_subscribes_late_knows_all_once_as_many_spoke_as_redis_counts(hands: HandClock):
    old, new = two_pods(hands)
    new.recovery.subscribed()
    new.recovery.counted(2, 0.001)
    assert new.recovery.handover.pods == 2
    hands.turn(0.5)
    talk(old, new)
    hands.turn(0.5)
    talk(old, new)
    new.prove_journal()
    assert new.recovery.progress.heard_elsewhere(JOURNAL, new.history.end, hands.now) > hands.now - 2


def test_how_far_it_heard_is_older_by_as_long_as_its_words_are_under_way(hands: HandClock):
    """Whoever has known it for a moment cannot tell how old they are."""
    pod = PurePod(hands)
    pod.start()
    pod.live(1)
    pod.prove_journal()
    for answer_seconds in (0.125, 0.5, 0.25):
        pod.recovery.counted(1, answer_seconds)
    assert pod.recovery.statement("one").ages == (0.5, 0.5)
    for _ in range(10):
        pod.recovery.counted(1, 0.0)
    assert pod.recovery.statement("one").ages == (0, 0)


def test_a_question_is_answered_to_whoever_asked(hands: HandClock):
    one, two = two_pods(hands)
    _, writer = one.connect()
    hands.turn(0.5)
    for pod in (one, two):
        pod.journal("j")
    publish("c", one, two)
    two.connect(last_event_id="c")
    (question,) = outgoing(two)
    one.recovery.take_pod_messages([question])
    (answer,) = outgoing(one)
    assert isinstance(answer, Answer)
    two.recovery.take_pod_messages([answer])
    assert answer.life == "two"
    assert story(writer) == ["connected", "j", "c"]


@pytest.mark.parametrize("by_journal", [False, True])
def test_an_answer_is_enough_once_the_id_is_heard_by_either_ingress(pod: PurePod, by_journal: bool):
    """A client that was given its event by a quicker pod waits no longer than that."""
    # Long enough after the start that no pod can have been behind by more.
    pod.live(10)
    _, writer = pod.connect(last_event_id="1")
    (question,) = outgoing(pod)
    assert isinstance(question, Question)
    pod.recovery.take_pod_messages([Answer("one", question.number, [])])
    pod.hands.turn(SETTLE_SECONDS)
    pod.recovery.resumption.settle()
    assert len(pod.recovery.handover) == 1
    (pod.journal if by_journal else pod.channel)("1", "2")
    pod.recovery.resumption.settle()
    assert story(writer) == ["connected", "2"]
