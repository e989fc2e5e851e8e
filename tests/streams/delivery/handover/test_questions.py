"""What a pod asks the others of a client that came to it, and how long it waits."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.delivery.handover import (
    KNOWN_UNHEARD_SECONDS,
    SETTLE_SECONDS,
    UNKNOWN_UNHEARD_SECONDS,
    WAIT_SECONDS,
    Handover,
)
from streams.history.messages import History
from streams.wire.pods import Answer, Question
from tests.streams.clocks import HandClock
from tests.streams.delivery.handover.streams import NOW, asked, heard, stream


def test_whoever_waits_is_asked_for(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=False, marks=True)
    handover.wait(stream(hands, "b"), "y", NOW, known=False, marks=True)
    assert handover.outgoing == [Question("one", 1, "a", "x", True), Question("one", 2, "b", "y", True)]
    assert len(handover) == 2


def come_back(handover: Handover, now: float) -> None:
    """Let this pod's own questions come back."""
    for said in handover.outgoing:
        assert isinstance(said, Question)
        handover.asked(said, None, now)
    handover.outgoing.clear()


def test_without_an_answer_the_wait_is_over_in_a_while(handover: Handover, hands: HandClock):
    connection = stream(hands)
    assert handover.settled(NOW, 9) == []
    handover.wait(connection, "x", NOW, known=True, marks=False)
    come_back(handover, NOW + 0.5)
    over = NOW + 0.5 + WAIT_SECONDS
    assert handover.settled(over - 0.01, 9) == []
    (waiting,) = handover.settled(over, 9)
    assert (waiting.connection, waiting.event_id, waiting.had) == (connection, "x", None)
    assert len(handover) == 0
    assert handover.settled(NOW + 99, 9) == []


def test_of_many_whose_wait_is_over_some_are_given_at_once(handover: Handover, hands: HandClock):
    for name in "abc":
        handover.wait(stream(hands, name), "x", NOW, known=True, marks=False)
    over = NOW + KNOWN_UNHEARD_SECONDS
    assert [waiting.connection.client_name for waiting in handover.settled(over, 2)] == ["a", "b"]
    assert [waiting.connection.client_name for waiting in handover.settled(over, 2)] == ["c"]


@pytest.mark.parametrize(("known", "seconds"), [(True, KNOWN_UNHEARD_SECONDS), (False, UNKNOWN_UNHEARD_SECONDS)])
def test_a_pod_that_does_not_hear_itself_waits_longer(
    handover: Handover, hands: HandClock, known: bool, seconds: float
):
    """It hears no answer either; most would be sent again where the id is not known."""
    handover.wait(stream(hands), "x", NOW, known=known, marks=False)
    assert handover.settled(NOW + seconds - 0.01, 9) == []
    come_back(handover, NOW + seconds - 0.01)
    assert len(handover.settled(NOW + seconds, 9)) == 1
    handover.asked(Question("one", 1, "a", "x"), None, NOW + seconds)
    assert handover.outgoing == []


def test_a_question_that_was_lost_is_asked_again(handover: Handover, hands: HandClock):
    """Its answers count from the second time on: an age is as of when it was asked for."""
    handover.wait(stream(hands), "x", NOW, known=False, marks=True)
    handover.wait(stream(hands, "b"), "y", NOW, known=False, marks=True)
    handover.asked(Question("one", 2, "b", "y", True), None, NOW)
    handover.outgoing.clear()
    handover.ask_again(NOW + 5)
    assert handover.outgoing == [Question("one", 3, "a", "x", True)]
    handover.answered(Answer("one", 1, None, (1.0, 1.0)), NOW + 5)
    handover.answered(Answer("one", 3, None, (2.0, 3.0)), NOW + 5.1)
    come_back(handover, NOW + 5.1)
    found = {waiting.event_id: waiting.marks for waiting in handover.settled(NOW + 5.1 + WAIT_SECONDS, 9)}
    assert found == {"x": (NOW + 3, NOW + 2), "y": None}
    assert len(handover) == 0


def test_whoever_subscribes_anew_asks_again(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=True, marks=False)
    handover.outgoing.clear()
    handover.listen(NOW + 1)
    assert handover.outgoing == [Question("one", 2, "a", "x", False)]


def test_with_an_answer_the_wait_is_over_soon(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=True, marks=False)
    handover.answered(Answer("one", 1, ["d1", "d2", "d2"]), NOW + 0.1)
    assert handover.settled(NOW + 0.1, 9) == []
    (waiting,) = handover.settled(NOW + 0.1 + SETTLE_SECONDS, 9)
    assert waiting.had == Counter(["d1", "d2", "d2"])


def test_only_what_all_pods_wrote_is_surely_there(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=True, marks=False)
    handover.answered(Answer("one", 1, ["d1", "d2"]), NOW)
    handover.answered(Answer("one", 1, ["d2", "d3"]), NOW + SETTLE_SECONDS / 2)
    (waiting,) = handover.settled(NOW + SETTLE_SECONDS, 9)
    assert waiting.had == Counter(["d2"])


def test_answers_to_other_pods_and_late_ones_say_nothing(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=True, marks=False)
    handover.answered(Answer("two", 1, ["d1"]), NOW)
    handover.answered(Answer("one", 9, ["d1"]), NOW)
    assert handover.settled(NOW + SETTLE_SECONDS, 9) == []


def test_an_answer_is_not_enough_while_the_id_is_not_heard_here(handover: Handover, hands: HandClock, history: History):
    handover.heard(["a"])
    handover.wait(stream(hands), "x", NOW, known=False, marks=True)
    handover.answered(Answer("one", 1, ["d1"]), NOW)
    assert handover.settled(NOW + SETTLE_SECONDS, 9) == []
    heard(history, "w")
    handover.heard(["a", "b"])
    assert handover.settled(NOW + SETTLE_SECONDS, 9) == []
    heard(history, "x")
    handover.heard(["b"])
    assert handover.settled(NOW + SETTLE_SECONDS, 9) == []
    handover.heard(["a"])
    handover.heard(["a"])
    assert len(handover.settled(NOW + SETTLE_SECONDS, 9)) == 1


def test_what_this_pod_wrote_itself_counts_as_an_answer(handover: Handover, hands: HandClock, history: History):
    had = heard(history, "1", "2", "3")
    handover.ended(stream(hands), NOW + 2)
    handover.wait(stream(hands), "3", NOW + 2, known=True, marks=False)
    (waiting,) = handover.settled(NOW + 2 + SETTLE_SECONDS, 9)
    assert waiting.had == Counter(had[:2])
    handover.wait(stream(hands), "4", NOW + 2, known=True, marks=False)
    assert handover.settled(NOW + 2 + SETTLE_SECONDS, 9) == [], "it never wrote that"


def test_who_ends_while_it_waits_is_forgotten(handover: Handover, hands: HandClock, history: History):
    heard(history, "1")
    connection = stream(hands)
    handover.wait(connection, "x", NOW, known=False, marks=True)
    handover.ended(connection, NOW + 2)
    assert len(handover) == 0
    assert asked(handover, "1") == [], "it was written nothing"


def test_a_newer_stream_of_the_same_client_waits_on_its_own(handover: Handover, hands: HandClock, history: History):
    older, newer = stream(hands), stream(hands)
    handover.wait(older, "x", NOW, known=False, marks=True)
    handover.wait(newer, "y", NOW + 1, known=False, marks=True)
    (waiting,) = handover.settled(NOW + UNKNOWN_UNHEARD_SECONDS, 9)
    assert waiting.connection is older
    heard(history, "y")
    handover.heard(["a"])
    handover.answered(Answer("one", 2, []), NOW + 1)
    (waiting,) = handover.settled(NOW + 2 + SETTLE_SECONDS, 9)
    assert waiting.connection is newer
    handover.wait(newer, "y", NOW + 1, known=False, marks=True)
    handover.ended(older, NOW + 1)
    assert len(handover) == 1


def test_takes_the_oldest_of_the_marks_that_pods_name(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=False, marks=True)
    for ages in ((2.0, 3.0), (5.0, 1.0), (3.0, 2.0)):
        handover.answered(Answer("one", 1, None, ages), NOW + 0.1)
    (waiting,) = handover.settled(NOW + UNKNOWN_UNHEARD_SECONDS, 9)
    assert (waiting.had, waiting.marks) == (None, (NOW - 5.0, NOW - 3.0))
