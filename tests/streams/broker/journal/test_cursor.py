from __future__ import annotations

from streams.broker.journal.cursor import (
    AT_ONCE_SECONDS,
    BLOCK_MS,
    MAX_READ_COUNT,
    MIN_READ_COUNT,
    PAUSE_SECONDS,
    READ_BYTES,
)
from streams.broker.journal.entries import EVENT_FIELD, Entry
from tests.streams.broker.journal.journals import HISTORY_SECONDS, Journal, written
from tests.streams.clocks import STARTED, WALL_AHEAD, HandClock

# Reading


def test_begins_where_the_history_does(hands: HandClock):
    journal = Journal(hands)
    journal.add("old")
    hands.turn(HISTORY_SECONDS + 1)
    journal.add("young")
    assert journal.connect() is None
    read = journal.cursor.next_read()
    begins = b"%d-0" % int(1000 * (WALL_AHEAD + STARTED + 1))
    assert (read.after, read.limit, read.block_ms) == (begins, MIN_READ_COUNT, None)
    assert (read.held_from, read.held_to) == (b"-", b"+")
    assert journal.read().past
    assert journal.got == ["young"]
    assert journal.cursor.caught_up


def test_reads_on_where_it_was_and_waits_for_more(journal: Journal):
    position = journal.cursor.position
    read = journal.cursor.next_read()
    assert position == written(journal.last)
    assert (read.after, read.held_from, read.held_to, read.block_ms) == (position, position, position, BLOCK_MS)
    journal.add("1", "2")
    taken = journal.read()
    assert (taken.messages, taken.past, taken.lost_since, taken.displaced) == ([b"1", b"2"], False, None, False)
    assert journal.read().messages == []
    assert journal.cursor.read == 3
    assert journal.losses == []


def test_reads_more_at_once_while_there_is_more_and_little_where_entries_are_large(hands: HandClock):
    journal = Journal(hands)
    journal.add(*(str(number) for number in range(500)))
    journal.connect()
    counts = [len(journal.read().messages) for _ in range(6)]
    assert counts == [16, 32, 64, 128, 256, 4]
    assert max(counts) == MAX_READ_COUNT
    assert journal.cursor.next_read().limit == MIN_READ_COUNT
    journal.add(*["x" * (READ_BYTES // 4)] * 20)
    journal.read()
    assert journal.cursor.next_read().limit == 4
    journal.add("x" * (READ_BYTES + 1))
    journal.read()
    journal.read()
    assert journal.cursor.next_read().limit == 1


def test_reads_a_single_entry_where_more_are_too_large_and_then_more_again(hands: HandClock):
    journal = Journal(hands)
    journal.add(*(str(number) for number in range(20)))
    journal.connect()
    journal.cursor.read_less()
    assert [len(journal.read().messages) for _ in range(5)] == [1, 2, 4, 8, 5]
    assert journal.got == [str(number) for number in range(20)]


def test_an_entry_without_an_event_is_an_empty_message(journal: Journal):
    at = written((journal.last[0] + 1, 0))
    assert journal.answer([(at, {b"other": b"x"})], True, journal.hands.now).messages == [b""]
    assert journal.cursor.position == at


def test_moments_are_those_at_which_redis_took_the_entries(journal: Journal):
    """An event that was read late counted once from when it was read."""
    taken_at = journal.hands.now
    journal.add("late")
    journal.hands.turn(9)
    journal.read()
    assert journal.moments["late"] == taken_at
    journal.hands.turn(1)
    journal.add("next")
    journal.read(late=2)
    assert journal.moments["next"] == taken_at + 10


def test_moments_of_the_past_go_back_before_this_process(hands: HandClock):
    journal = Journal(hands)
    journal.add("past", at=(int(1000 * (journal.time - 50)), 0))
    journal.catch_up()
    assert journal.moments["past"] == STARTED - 50
    assert journal.unsure == []


def test_no_moment_is_later_than_now(journal: Journal):
    journal.add("1", at=(int(1000 * (journal.time + 0.5)), 0))
    journal.read()
    assert journal.moments["1"] == journal.hands.now


def test_no_moment_is_before_what_was_read_before(journal: Journal):
    """Redis' clock was set forward, which lets what it took before seem old."""
    taken_at = journal.hands.turn(1)
    journal.add(*(str(number) for number in range(MIN_READ_COUNT + 1)))
    journal.read()
    journal.ahead += 3600
    journal.hands.turn(1)
    journal.read()
    assert journal.moments[str(MIN_READ_COUNT)] == taken_at


def test_what_comes_once_it_is_caught_up_is_never_of_the_past(journal: Journal):
    journal.add(*(str(number) for number in range(2 * MIN_READ_COUNT + 1)))
    assert [journal.read().past for _ in range(3)] == [False, False, False]
    assert journal.cursor.next_read().block_ms == BLOCK_MS


# What is proven


def test_proves_nothing_while_there_is_more_to_read(hands: HandClock):
    journal = Journal(hands)
    journal.connect()
    hands.turn(2)
    journal.add(*(str(number) for number in range(MIN_READ_COUNT + 1)))
    hands.turn(3)
    journal.read()
    assert (journal.cursor.caught_up, journal.cursor.proven_at) == (False, STARTED)
    journal.read()
    assert (journal.cursor.caught_up, journal.cursor.proven_at) == (True, STARTED + 5)


def test_an_answer_proves_the_time_before_its_question(journal: Journal):
    asked = journal.hands.turn(1)
    journal.read(late=0.5)
    assert journal.cursor.proven_at == asked


def test_an_entry_proves_the_time_before_it(journal: Journal):
    asked = journal.hands.now
    journal.hands.turn(0.75)
    journal.add("1")
    found: list[Entry] = [(written(journal.last), {EVENT_FIELD: b"1"})]
    journal.answer(found, True, asked)
    assert journal.cursor.proven_at == asked + 0.75


def test_an_entry_that_redis_took_later_than_now_proves_nothing(journal: Journal):
    proven = journal.cursor.proven_at
    journal.add(*["x"] * MIN_READ_COUNT, at=(int(1000 * (journal.time + 3600)), 0))
    found: list[Entry] = [(b"%d-%d" % (journal.last[0], number), {EVENT_FIELD: b"x"}) for number in range(16)]
    journal.answer(found, True, journal.hands.now)
    assert journal.cursor.proven_at == proven


# How often it reads


def test_an_answer_that_came_at_once_with_entries_is_followed_by_a_pause():
    journal = Journal(HandClock())
    journal.catch_up()
    assert journal.cursor.pause_seconds == 0.0
    journal.add("1")
    journal.read(late=AT_ONCE_SECONDS / 2)
    assert journal.cursor.pause_seconds == PAUSE_SECONDS
    journal.read()
    assert journal.cursor.pause_seconds == 0.0, "nothing came"
    journal.add("2")
    journal.read(late=AT_ONCE_SECONDS * 2)
    assert journal.cursor.pause_seconds == 0.0, "it waited for that one"


def test_a_full_read_is_followed_by_another_at_once():
    journal = Journal(HandClock())
    journal.catch_up()
    for number in range(MIN_READ_COUNT + 1):
        journal.add(str(number))
    journal.read()
    assert journal.cursor.pause_seconds == 0.0
    journal.read()
    assert journal.cursor.pause_seconds == PAUSE_SECONDS


def test_a_journal_from_before_is_read_without_a_pause():
    journal = Journal(HandClock())
    journal.add("1")
    journal.connect()
    journal.read()
    assert journal.cursor.pause_seconds == 0.0


def test_the_next_read_has_room_for_twice_as_many_as_the_last_one_brought():
    journal = Journal(HandClock())
    journal.catch_up()
    for number in range(3 * MIN_READ_COUNT):
        journal.add(str(number))
    journal.read()
    assert journal.cursor.next_read().limit == 2 * MIN_READ_COUNT
    journal.read()
    assert journal.cursor.next_read().limit == 4 * MIN_READ_COUNT
    journal.add("next")
    journal.read()
    assert journal.cursor.next_read().limit == MIN_READ_COUNT
