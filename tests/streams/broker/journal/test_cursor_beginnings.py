"""Since when the cursor has read everything, and what a Redis that restarted may have lost before."""

from __future__ import annotations

from streams.broker.journal.cursor import (
    MIN_READ_COUNT,
)
from streams.history.coverage import Ingress
from streams.history.losses import Loss
from tests.streams.broker.journal.journals import HISTORY_SECONDS, Journal, written
from tests.streams.clocks import STARTED, HandClock


def test_a_journal_is_complete_since_its_first_entry_or_the_history_is(hands: HandClock):
    journal = Journal(hands)
    journal.add("1")
    journal.add("2")
    hands.turn(10)
    journal.catch_up()
    assert journal.cursor.complete_since == STARTED
    assert journal.cursor.from_the_first
    empty = Journal(hands)
    empty.catch_up()
    assert empty.cursor.complete_since == hands.now, "nobody knows what was there"
    old = Journal(hands)
    old.add("1")
    hands.turn(2 * HISTORY_SECONDS)
    old.catch_up()
    assert old.cursor.complete_since == hands.now - HISTORY_SECONDS
    trimmed = Journal(hands)
    trimmed.add("1", "2")
    trimmed.trim(1)
    trimmed.catch_up()
    assert not trimmed.cursor.from_the_first


def test_a_first_entry_that_redis_took_later_than_now_begins_now(hands: HandClock):
    journal = Journal(hands)
    journal.add("1", at=(int(1000 * (journal.time + 3600)), 0))
    journal.catch_up()
    assert journal.cursor.complete_since == hands.now
    assert journal.moments["1"] < hands.now - HISTORY_SECONDS / 2
    assert journal.unsure == [journal.moments["1"]], "it may be of any time until now"


def test_the_first_entry_of_all_is_read_whatever_redis_clock_says(hands: HandClock):
    journal = Journal(hands)
    journal.catch_up()
    journal.ahead -= 3600
    journal.add("low")
    hands.turn(1)
    journal.read()
    assert journal.got == ["low"]


def test_a_journal_that_is_older_than_the_history_has_a_position(hands: HandClock):
    """Whoever has one sees a loss, and one that goes on with lower ids."""
    journal = Journal(hands)
    journal.add("old")
    hands.turn(HISTORY_SECONDS + 10)
    journal.catch_up()
    assert journal.got == []
    assert journal.cursor.position == written(journal.last)
    journal.add("1")
    journal.read()
    journal.delete_last()
    journal.read()
    journal.read()
    assert journal.got == ["1"]
    journal.clear()
    journal.ahead -= 3600
    journal.add("low")
    hands.turn(1)
    journal.read()
    journal.read()
    assert journal.got == ["1", "low"]


def test_an_entry_that_comes_while_the_beginning_is_looked_for_is_read(hands: HandClock):
    journal = Journal(hands)
    journal.connect()
    journal.cursor.took([], False, journal.time, hands.now, hands.now)
    journal.add("1")
    journal.cursor.begins_at(journal.newest, journal.newest, hands.now, intact=True, marks=[], met=True)
    assert journal.cursor.position is None
    journal.read()
    assert journal.got == ["1"]


def test_a_redis_that_restarted_shortly_before_may_have_lost_the_last_of_what_it_had(hands: HandClock):
    journal = Journal(hands)
    journal.add("kept", "lost")
    hands.turn(10)
    journal.restart(keep=1)
    hands.turn(5)
    journal.add(*(str(number) for number in range(2 * MIN_READ_COUNT)))
    journal.catch_up()
    assert journal.cursor.lost_before() == [Loss(Ingress.JOURNAL, STARTED, STARTED + 10)]


def test_a_redis_that_has_run_for_long_has_lost_nothing_shortly_before(hands: HandClock):
    journal = Journal(hands)
    assert journal.cursor.lost_before() == []
    journal.add("1")
    hands.turn(10)
    journal.catch_up()
    assert journal.cursor.lost_before() == []
    durable = Journal(hands, durable=True)
    durable.add("1")
    hands.turn(10)
    durable.restart(keep=1)
    hands.turn(10)
    durable.catch_up()
    assert durable.cursor.lost_before() == []


def test_a_loss_that_was_marked_by_a_clock_that_was_set_back_since_is_of_an_unknown_time(hands: HandClock):
    journal = Journal(hands)
    journal.connect()
    hour_ahead, now = b"%d-0" % (1000 * (journal.time + 3600)), hands.now
    marks = [(hour_ahead, {b"ingress": b"journal", b"since": b"5", b"until": b"2"})]
    journal.cursor.took([], False, journal.time, now, now)
    journal.cursor.begins_at(None, None, now, intact=True, marks=marks, met=True)
    assert journal.cursor.lost_before() == [Loss(Ingress.JOURNAL, now - HISTORY_SECONDS, now)]
