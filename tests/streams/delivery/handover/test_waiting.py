"""When a wait is over, and what is taken out of a replay then."""

from __future__ import annotations

from collections import Counter

from streams.delivery.handover import SETTLE_SECONDS, Handover, Waiting, without
from streams.wire.pods import Statement
from tests.streams.clocks import HandClock
from tests.streams.delivery.handover.streams import NOW, stream


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
