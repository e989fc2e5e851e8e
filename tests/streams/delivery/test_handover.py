from __future__ import annotations

from collections import Counter
from math import inf

import pytest

from streams.delivery import handover as module
from streams.delivery.connection import Connection, Resume
from streams.delivery.handover import (
    KNOWN_UNHEARD_SECONDS,
    PODS_ASKED,
    REMEMBERED_SECONDS,
    SETTLE_SECONDS,
    UNKNOWN_UNHEARD_SECONDS,
    WAIT_SECONDS,
    Handover,
    Waiting,
    without,
)
from streams.history.coverage import Ingress
from streams.history.messages import History, digest
from streams.history.progress import CLOCK_DOUBT_SECONDS
from streams.wire.pods import Answer, PodMessage, Question, Statement
from tests.streams.builders import Recorder
from tests.streams.clocks import STARTED, HandClock
from tests.streams.delivery.pods import event

NOW = STARTED


@pytest.fixture
def history() -> History:
    return History(300, 2**20, 100, NOW)


@pytest.fixture
def handover(history: History) -> Handover:
    handover = Handover("one", history, lambda name, event_id: history.marks_of(name, event_id, all_heard, proved))
    handover.listen(NOW)
    return handover


def all_heard(_ingress: Ingress, _place: int, moment: float) -> float:
    return moment


def proved(_place: int, moment: float) -> float:
    return moment - 0.5


def heard(history: History, *event_ids: str, name: str = "a", ingress: Ingress = Ingress.CHANNEL) -> list[str]:
    """Let the history hear events; return their digests."""
    messages = [event(event_id, name) for event_id in event_ids]
    history.extend([name] * len(messages), messages, NOW + 1, ingress)
    return [digest(message) for message in messages]


def stream(hands: HandClock, name: str = "a", *, first: int = 0, last_event_id: str | None = None) -> Connection:
    """Return a stream that was greeted, and has all of its client from a place on."""
    resume = None if last_event_id is None else Resume(last_event_id, None)
    connection = Connection(name, Recorder(), resume=resume, clock=hands.clock)
    connection.greeted = True
    connection.first_place = first
    return connection


def asked(
    handover: Handover, event_id: str, connection: Connection | None = None, *, marks: bool = False
) -> list[PodMessage]:
    """Let another pod ask what the client read before an event; return the answer."""
    handover.outgoing.clear()
    handover.asked(Question("two", 7, "a", event_id, marks), connection, NOW + 3)
    return list(handover.outgoing)


# Questions


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
    handover.ended(stream(hands), NOW)
    handover.wait(stream(hands), "3", NOW + 1, known=True, marks=False)
    (waiting,) = handover.settled(NOW + 1 + SETTLE_SECONDS, 9)
    assert waiting.had == Counter(had[:2])
    handover.wait(stream(hands), "4", NOW + 1, known=True, marks=False)
    assert handover.settled(NOW + 1 + SETTLE_SECONDS, 9) == [], "it never wrote that"


def test_who_ends_while_it_waits_is_forgotten(handover: Handover, hands: HandClock, history: History):
    heard(history, "1")
    connection = stream(hands)
    handover.wait(connection, "x", NOW, known=False, marks=True)
    handover.ended(connection, NOW)
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
    (waiting,) = handover.settled(NOW + 1 + SETTLE_SECONDS, 9)
    assert waiting.connection is newer
    handover.wait(newer, "y", NOW + 1, known=False, marks=True)
    handover.ended(older, NOW + 1)
    assert len(handover) == 1


# Answers


def test_answers_for_a_stream_that_is_open(handover: Handover, hands: HandClock, history: History):
    had = heard(history, "1", "2", "3")
    assert asked(handover, "3", stream(hands)) == [Answer("two", 7, had[:2])]


def test_answers_for_a_stream_that_has_ended(handover: Handover, hands: HandClock, history: History):
    had = heard(history, "1", "2")
    handover.ended(stream(hands), NOW)
    heard(history, "3")
    assert asked(handover, "2") == [Answer("two", 7, had[:1])]
    assert asked(handover, "3") == [], "that was heard after it"


def test_says_nothing_of_what_it_did_not_write(handover: Handover, hands: HandClock, history: History):
    heard(history, "1", "2")
    assert asked(handover, "1") == []
    assert asked(handover, "0", stream(hands)) == []
    assert asked(handover, "1", stream(hands, first=1)) == []
    waiting = stream(hands)
    waiting.greeted = False
    assert asked(handover, "1", waiting) == []
    handover.ended(waiting, NOW)
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
    handover = Handover("one", history, lambda _name, _event_id: marks.pop())
    heard(history, "1")
    assert asked(handover, "1", marks=True) == []
    assert asked(handover, "1", marks=True) == []


def test_of_many_pods_some_say_how_far_readers_were(history: History):
    answers = 0
    for number in range(200):
        handover = Handover(f"life-{number}", history, lambda _name, _event_id: (NOW, NOW))
        handover.pods = 200
        answers += len(asked(handover, "1", marks=True))
    assert 0 < answers < 5 * PODS_ASKED


def test_takes_the_oldest_of_the_marks_that_pods_name(handover: Handover, hands: HandClock):
    handover.wait(stream(hands), "x", NOW, known=False, marks=True)
    for ages in ((2.0, 3.0), (5.0, 1.0), (3.0, 2.0)):
        handover.answered(Answer("one", 1, None, ages), NOW + 0.1)
    (waiting,) = handover.settled(NOW + UNKNOWN_UNHEARD_SECONDS, 9)
    assert (waiting.had, waiting.marks) == (None, (NOW - 5.0, NOW - 3.0))


def test_does_not_answer_itself(handover: Handover, hands: HandClock, history: History):
    heard(history, "1")
    handover.asked(Question("one", 7, "a", "1", marks=True), stream(hands), NOW)
    assert handover.outgoing == []


def test_says_nothing_of_the_id_that_the_client_came_with(handover: Handover, hands: HandClock, history: History):
    """What is before it in the history went out behind it, if at all."""
    heard(history, "1", "2")
    connection = stream(hands, last_event_id="2")
    assert asked(handover, "2", connection) == []
    handover.ended(connection, NOW)
    assert asked(handover, "2") == []
    assert asked(handover, "1") == []


@pytest.mark.parametrize("open_", [True, False])
def test_a_client_that_is_elsewhere_reads_nothing_more_here(
    handover: Handover, hands: HandClock, history: History, open_: bool
):
    """Its old stream may be open for long: what is written there now is read by nobody."""
    had = heard(history, "1", "2", "3")
    connection = stream(hands)
    if not open_:
        handover.ended(connection, NOW)
    there = connection if open_ else None
    assert asked(handover, "2", there) == asked(handover, "2", there) == [Answer("two", 7, had[:1])]
    assert asked(handover, "3", there) == [], "it was elsewhere when that was written"
    assert asked(handover, "2", there) == [], "it came with an id that it has not read here"
    if open_:
        handover.ended(connection, NOW)
        assert asked(handover, "2") == []


def test_a_stream_that_ends_takes_what_was_left_with_it(handover: Handover, hands: HandClock, history: History):
    heard(history, "1", "2")
    connection = stream(hands)
    asked(handover, "1", connection)
    handover.ended(connection, NOW)
    assert asked(handover, "2") == []
    again = stream(hands)
    assert len(asked(handover, "2", again)) == 1


def test_answers_for_no_stream_from_before_it_listened(handover: Handover, hands: HandClock, history: History):
    """While it did not hear the channel, its client may have been asked for, and be elsewhere."""
    heard(history, "1")
    before, ended = stream(hands), stream(hands)
    handover.ended(ended, NOW)
    hands.turn(5)
    handover.listen(hands.now)
    assert asked(handover, "1") == []
    assert asked(handover, "1", before) == []
    handover.ended(before, hands.now)
    assert asked(handover, "1") == []
    assert len(asked(handover, "1", stream(hands))) == 1


def test_forgets_streams_that_ended_long_ago(handover: Handover, hands: HandClock, history: History):
    heard(history, "1")
    handover.ended(stream(hands), NOW)
    handover.ended(stream(hands, "b"), NOW)
    handover.ended(stream(hands), NOW + 1)
    handover.ended(stream(hands, "c"), NOW + REMEMBERED_SECONDS + 1)
    assert len(asked(handover, "1")) == 1
    handover.ended(stream(hands, "d"), NOW + REMEMBERED_SECONDS + 2)
    assert asked(handover, "1") == []


def test_remembers_no_more_streams_than_it_may(
    handover: Handover, hands: HandClock, history: History, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    heard(history, "1")
    for name in "abc":
        handover.ended(stream(hands, name), NOW)
    assert asked(handover, "1") == []
    assert len(handover._ended) == 2


def test_a_stream_that_ends_while_it_waits_takes_what_was_left_with_it(
    handover: Handover, hands: HandClock, history: History
):
    """Else the next stream of the name is answered for as if its client had left it: doubles, and a name for ever."""
    heard(history, "1")
    connection = stream(hands)
    handover.wait(connection, "x", NOW, known=False, marks=True)
    asked(handover, "0", connection)
    handover.ended(connection, NOW)
    assert len(asked(handover, "1", stream(hands))) == 1


# What a client has


def test_a_wait_is_over_at_its_deadline_or_once_the_answers_are_in(hands: HandClock):
    waiting = Waiting(stream(hands), "x", NOW + 1, known=False, asks_marks=False, asked_at=NOW)
    waiting.note(Counter("ab"), NOW)
    waiting.note(Counter("b"), NOW + 9)
    assert waiting.settle_at == NOW + SETTLE_SECONDS
    assert not waiting.is_settled(NOW + 0.5)
    waiting.known = True
    assert waiting.is_settled(NOW + 0.5)
    assert waiting.had == Counter("b")


def test_what_a_client_has_is_taken_out_once_for_each_time_that_it_has_it():
    messages = [b"a", b"b", b"a", b"a", b"c"]
    assert without(messages, (0, 1, 2), ["a", "b", "a"], Counter("aa")) == [b"b", b"a", b"c"]
    assert without(messages, (0, 1, 2), ["a", "b", "a"], Counter("a")) == [b"b", b"a", b"a", b"c"]
    assert without(messages, (), [], Counter("abc")) == messages


def test_one_statement_stands_for_all_that_were_asked_for(handover: Handover):
    statement = Statement("one", "pod-1", 1.0, (0.0, 0.0))
    for _ in range(2):
        handover.state(statement)
    assert handover.outgoing == [statement]
