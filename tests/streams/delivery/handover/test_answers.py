"""What a pod answers of the streams that it wrote."""

from __future__ import annotations

from math import inf

import pytest

from streams.delivery.handover import PODS_ASKED, Handover
from streams.errors import CloseReason
from streams.history.coverage import Ingress
from streams.history.messages import History
from streams.history.progress import CLOCK_DOUBT_SECONDS
from streams.wire.pods import Answer, Question
from tests.streams.builders import Recorder
from tests.streams.clocks import HandClock
from tests.streams.delivery.handover.streams import NOW, asked, heard, stream
from tests.streams.delivery.pods import event


def test_answers_for_a_stream_that_is_open(handover: Handover, hands: HandClock, history: History):
    had = heard(history, "1", "2", "3")
    assert asked(handover, "3", stream(hands)) == [Answer("two", 7, had[:2])]


def test_of_a_client_that_acknowledges_nothing_any_more_it_does_not_know_what_it_read(
    handover: Handover, hands: HandClock, history: History
):
    """It may have read the event elsewhere."""
    had = heard(history, "1", "2")
    connection = stream(hands)
    writer = connection.writer
    assert isinstance(writer, Recorder)
    assert asked(handover, "2", connection) == [Answer("two", 7, had[:1])]
    connection = stream(hands)
    connection.writer = writer
    # Whatever it was that was acknowledged last.
    writer.silent = 0.1
    assert asked(handover, "2", connection) == []


def test_answers_for_a_stream_that_has_ended(handover: Handover, hands: HandClock, history: History):
    had = heard(history, "1", "2")
    handover.ended(stream(hands), NOW + 2)
    heard(history, "3")
    assert asked(handover, "2") == [Answer("two", 7, had[:1])]
    assert asked(handover, "3") == [], "that was heard after it"


@pytest.mark.parametrize(("late", "silent", "answers"), [(0.5, 0.0, True), (1.5, 0.0, False), (0.5, 2.0, False)])
def test_answers_for_a_stream_whose_name_was_taken_just_now(
    handover: Handover, hands: HandClock, history: History, late: float, silent: float, answers: bool
):
    """Whoever took it asks; later it may have been anywhere, and so may one that acknowledged nothing."""
    had = heard(history, "1", "2")
    connection = stream(hands)
    connection.close_reason = CloseReason.EVICTED
    writer = connection.writer
    assert isinstance(writer, Recorder)
    writer.silent = silent
    handover.ended(connection, NOW + 3 - late)
    assert asked(handover, "2") == ([Answer("two", 7, had[:1])] if answers else [])


def test_answers_for_a_stream_that_was_asked_for_before_its_name_was_taken(
    handover: Handover, hands: HandClock, history: History
):
    had = heard(history, "1", "2")
    connection = stream(hands)
    asked(handover, "2", connection)
    connection.close_reason = CloseReason.EVICTED
    handover.ended(connection, NOW + 1.5)
    assert asked(handover, "2") == [Answer("two", 7, had[:1])]


def test_says_nothing_of_what_it_did_not_write(handover: Handover, hands: HandClock, history: History):
    heard(history, "1", "2")
    assert asked(handover, "1") == []
    assert asked(handover, "0", stream(hands)) == []
    assert asked(handover, "1", stream(hands, first=1)) == []
    waiting = stream(hands)
    waiting.greeted = False
    assert asked(handover, "1", waiting) == []
    handover.ended(waiting, NOW + 2)
    assert asked(handover, "1") == []


def test_says_how_far_the_readers_of_an_event_were(handover: Handover, history: History):
    """Also where it did not write it; the channel's event is as old as the proof before it."""
    heard(history, "1")
    assert asked(handover, "1", marks=True) == [Answer("two", 7, None, (2.5, 2.0))]
    assert asked(handover, "2", marks=True) == []


def test_says_how_far_they_were_at_the_oldest_event_of_an_id(handover: Handover, history: History):
    heard(history, "1", ingress=Ingress.JOURNAL)
    history.extend(["a"], [event("1", "a")], NOW + 2, Ingress.CHANNEL)
    (answer,) = asked(handover, "1", marks=True)
    assert isinstance(answer, Answer)
    assert answer.ages is not None
    assert answer.ages[0] == 2.0
    assert answer.ages[1] == pytest.approx(2.0 + CLOCK_DOUBT_SECONDS)


def test_says_nothing_of_ages_that_it_cannot_know(history: History):
    marks: list[tuple[float, float] | None] = [(-inf, NOW), None]
    handover = Handover("one", history, lambda *_asked: marks.pop())
    heard(history, "1")
    assert asked(handover, "1", marks=True) == []
    assert asked(handover, "1", marks=True) == []


def test_of_many_pods_some_say_how_far_readers_were(history: History):
    answers = 0
    for number in range(200):
        handover = Handover(f"life-{number}", history, lambda *_asked: (NOW, NOW))
        handover.pods = 200
        answers += len(asked(handover, "1", marks=True))
    assert 0 < answers < 5 * PODS_ASKED


def test_does_not_answer_itself(handover: Handover, hands: HandClock, history: History):
    heard(history, "1")
    handover.asked(Question("one", 7, "a", "1", marks=True), stream(hands), NOW)
    assert handover.outgoing == []


def test_says_nothing_of_the_id_that_the_client_came_with(handover: Handover, hands: HandClock, history: History):
    """What is before it in the history went out behind it, if at all."""
    heard(history, "1", "2")
    connection = stream(hands, last_event_id="2")
    assert asked(handover, "2", connection) == []
    handover.ended(connection, NOW + 2)
    assert asked(handover, "2") == []
    assert asked(handover, "1") == []


def test_a_stream_that_has_ended_gave_what_it_was_written(handover: Handover, hands: HandClock, history: History):
    """Not the id that it came with: another pod gave that."""
    heard(history, "1", "2", "3")
    connection = stream(hands, first=1, last_event_id="3")
    assert not handover.gave("a", "2", NOW + 2), "it is open, or was never there"
    handover.ended(connection, NOW + 2)
    heard(history, "4")
    assert [handover.gave("a", event_id, NOW + 2) for event_id in "1234"] == [False, True, False, False]
    assert not handover.gave("b", "2", NOW + 2)
