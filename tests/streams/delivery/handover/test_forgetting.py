"""Streams that ended, or whose client went elsewhere: what is said of them, and for how long."""

from __future__ import annotations

import pytest

from streams.delivery import handover as module
from streams.delivery.handover import REMEMBERED_SECONDS, Handover
from streams.history.messages import History
from streams.wire.pods import Answer
from tests.streams.clocks import HandClock
from tests.streams.delivery.handover.streams import NOW, asked, heard, stream


@pytest.mark.parametrize("open_", [True, False])
def test_a_client_that_is_elsewhere_reads_nothing_more_here(
    handover: Handover, hands: HandClock, history: History, open_: bool
):
    """Its old stream may be open for long: what is written there now is read by nobody."""
    had = heard(history, "1", "2", "3")
    connection = stream(hands)
    if not open_:
        handover.ended(connection, NOW + 2)
    there = connection if open_ else None
    assert asked(handover, "2", there) == asked(handover, "2", there) == [Answer("two", 7, had[:1])]
    assert asked(handover, "3", there) == [], "it was elsewhere when that was written"
    assert asked(handover, "2", there) == [], "it came with an id that it has not read here"
    if open_:
        handover.ended(connection, NOW + 2)
        assert asked(handover, "2") == []


def test_a_stream_that_ends_takes_what_was_left_with_it(handover: Handover, hands: HandClock, history: History):
    heard(history, "1", "2")
    connection = stream(hands)
    asked(handover, "1", connection)
    handover.ended(connection, NOW + 2)
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
    handover.ended(stream(hands), NOW + 2)
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
    handover.ended(connection, NOW + 2)
    assert len(asked(handover, "1", stream(hands))) == 1
