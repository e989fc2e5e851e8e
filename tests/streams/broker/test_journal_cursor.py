from __future__ import annotations

import pytest

from streams.broker.journal_cursor import (
    AT_ONCE_SECONDS,
    BLOCK_MS,
    EVENT_FIELD,
    MAX_READ_COUNT,
    MIN_READ_COUNT,
    PAUSE_SECONDS,
    READ_BYTES,
    Entry,
    Facts,
    entry_parts,
    read_entries,
)
from tests.streams.broker.journals import HISTORY_SECONDS, Journal, written
from tests.streams.clocks import STARTED, WALL_AHEAD, HandClock


@pytest.fixture
def hands() -> HandClock:
    return HandClock()


@pytest.fixture
def journal(hands: HandClock) -> Journal:
    """A journal with one entry, which was read; a second has passed since."""
    journal = Journal(hands)
    journal.add("first")
    journal.catch_up()
    hands.turn(1)
    journal.read()
    return journal


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
    assert journal.cursor.doubt_seconds == 0


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


def test_an_entry_proves_no_more_than_the_clock_is_known(hands: HandClock):
    journal = Journal(hands)
    redis_time = journal.time
    hands.turn(2)
    journal.cursor.connected(facts_of(journal, redis_time), STARTED, hands.now)
    journal.read(late=2)
    taken_at = hands.turn(1)
    journal.add(*(str(number) for number in range(2 * MIN_READ_COUNT)))
    journal.read(late=3)
    assert journal.cursor.proven_at == taken_at
    hands.turn(1)
    journal.read()
    taken_at = hands.turn(1)
    journal.add(*(str(number) for number in range(2 * MIN_READ_COUNT)))
    journal.read()
    assert journal.cursor.proven_at == taken_at


# What is lost


def test_a_journal_that_is_trimmed_faster_than_it_is_read_loses_what_came_between(journal: Journal):
    lost_at = journal.hands.turn(1)
    journal.add("lost", "2", "3")
    journal.trim(2)
    journal.hands.turn(1)
    taken = journal.read()
    assert (journal.got[-2:], taken.displaced) == (["2", "3"], False)
    assert taken.lost_since is not None
    assert taken.lost_since <= lost_at
    assert journal.losses == [(taken.lost_since, lost_at + 1)]
    journal.read()
    assert len(journal.losses) == 1


def test_what_is_lost_is_told_once_however_much_is_left_to_read(journal: Journal):
    journal.add("lost", *(str(number) for number in range(3 * MIN_READ_COUNT)))
    journal.trim(3 * MIN_READ_COUNT)
    told_at = journal.hands.now + 1
    for _ in range(3):
        journal.hands.turn(1)
        journal.read()
        assert journal.cursor.proven_at >= told_at
    assert len(journal.losses) == 1
    assert journal.got[1:] == [str(number) for number in range(3 * MIN_READ_COUNT)]


def test_an_empty_read_without_the_position_proves_nothing(journal: Journal):
    """It moved the proof on once, beyond an entry that came and went with the journal."""
    journal.add("l1")
    journal.hands.turn(1)
    found: list[Entry] = [(written(journal.last), {EVENT_FIELD: b"l1"})]
    lost_at = journal.hands.now
    journal.add("lost")
    journal.clear()
    journal.hands.turn(5)
    # The answer of the read that waited while this process stood still.
    journal.answer(found, True, lost_at - 1)
    assert journal.losses == []
    journal.hands.turn(1)
    assert journal.read().displaced
    assert journal.tells(lost_at)
    told = len(journal.losses)
    journal.hands.turn(12)
    journal.read()
    journal.add("l2")
    journal.hands.turn(1)
    journal.read()
    assert journal.got[-1] == "l2"
    assert len(journal.losses) == told


def test_a_journal_that_was_begun_anew_with_lower_ids_is_read_from_its_beginning(journal: Journal):
    """It was never read again, as all of its ids were behind the position."""
    journal.clear()
    journal.add("1", "2", at=None)
    journal.clear()
    hour = int(1000 * (journal.time - 3600))
    journal.add("low-1", at=(hour, 0))
    journal.add("low-2", at=(hour + 5, 0))
    lost_at = journal.hands.now
    journal.hands.turn(1)
    journal.read()
    journal.read()
    assert journal.got == ["first", "low-1", "low-2"]
    assert journal.tells(lost_at)
    assert journal.moments["low-1"] == journal.losses[0][0], "unread since the last proof"


def test_a_journal_whose_last_entry_was_deleted_is_not_read_twice(journal: Journal):
    journal.add("1", "2")
    journal.read()
    journal.delete_last()
    journal.read()
    journal.add("3")
    journal.hands.turn(1)
    journal.read()
    assert journal.got == ["first", "1", "2", "3"]
    assert len(journal.losses) == 1, "what came behind it may have been deleted too"


def test_a_journal_whose_only_entry_was_deleted_is_not_read_twice(journal: Journal):
    journal.delete_last()
    journal.read()
    journal.hands.turn(1)
    journal.add("1")
    journal.read()
    assert journal.got == ["first", "1"]
    assert journal.cursor.position == written(journal.last)


def test_an_entry_that_comes_while_the_place_is_looked_for_is_read_on(journal: Journal):
    position = journal.cursor.position
    journal.clear()
    journal.answer([], False, journal.hands.now)
    assert journal.cursor.position is None
    other = Journal(journal.hands)
    other.add("first")
    other.catch_up()
    other.cursor.relocated(written((other.last[0] + 1, 0)))
    assert other.cursor.position == written(other.last)
    assert position is not None


# Connecting again


def test_a_connection_that_was_lost_loses_nothing_while_the_position_is_held(journal: Journal):
    journal.add("1")
    journal.hands.turn(5)
    assert journal.connect() is None
    journal.read()
    assert journal.got == ["first", "1"]
    assert journal.losses == []


@pytest.mark.parametrize("run", ["same", "other"])
def test_where_nothing_was_ever_read_whatever_came_meanwhile_may_be_gone(hands: HandClock, run: str):
    """A Redis that restarts without its data was told only where the journal did not exist again yet."""
    journal = Journal(hands)
    journal.catch_up()
    hands.turn(1)
    journal.read()
    lost_at = hands.turn(1)
    journal.add("lost")
    journal.clear()
    if run == "other":
        journal.restart()
    hands.turn(1)
    journal.add("l1")
    hands.turn(1)
    assert journal.connect() is not None
    assert journal.tells(lost_at)
    journal.read()
    assert journal.got == ["l1"]


def test_another_redis_with_the_position_may_lack_what_came_behind_it(journal: Journal):
    lost_at = journal.hands.turn(1)
    journal.add("lost")
    journal.restart(keep=1)
    journal.hands.turn(1)
    assert journal.connect() is not None
    assert journal.tells(lost_at)
    journal.add("1")
    journal.read()
    assert journal.got == ["first", "1"]


def test_another_redis_that_keeps_all_that_it_acknowledged_lacks_nothing(hands: HandClock):
    journal = Journal(hands, durable=True)
    journal.add("first")
    journal.catch_up()
    journal.add("1")
    journal.restart(keep=2)
    assert journal.connect() is None
    journal.read()
    assert journal.got == ["first", "1"]


def test_another_redis_that_lost_its_end_is_not_read_twice(journal: Journal):
    journal.add("1", "2")
    journal.read()
    journal.restart(keep=2)
    journal.hands.turn(1)
    assert journal.connect() is not None
    journal.add("3")
    journal.read()
    assert journal.got == ["first", "1", "2", "3"]
    assert len(journal.losses) == 1


def test_another_redis_without_its_data_is_read_from_its_beginning(journal: Journal):
    journal.restart()
    lost_at = journal.hands.now
    journal.hands.turn(1)
    assert journal.connect() is not None
    assert journal.tells(lost_at)
    journal.ahead -= 3600
    journal.add("low")
    journal.read()
    assert journal.got == ["first", "low"]


def test_the_same_redis_that_does_not_hold_the_position_is_read_on(journal: Journal):
    journal.add("lost", "2")
    journal.trim(1)
    journal.hands.turn(1)
    assert journal.connect() is not None
    journal.read()
    assert journal.got == ["first", "2"]


# Where it begins


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
    assert journal.cursor.doubt_seconds == 0, "what is from before this pod's time is not doubted"


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
    journal.cursor.begins_at(journal.newest, journal.newest, hands.now, intact=True)
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
    assert journal.cursor.lost_before() == (STARTED, STARTED + 10)


def test_a_redis_that_has_run_for_long_has_lost_nothing_shortly_before(hands: HandClock):
    journal = Journal(hands)
    assert journal.cursor.lost_before() is None
    journal.add("1")
    hands.turn(10)
    journal.catch_up()
    assert journal.cursor.lost_before() is None
    durable = Journal(hands, durable=True)
    durable.add("1")
    hands.turn(10)
    durable.restart(keep=1)
    hands.turn(10)
    durable.catch_up()
    assert durable.cursor.lost_before() is None


# Redis' clock


def test_an_answer_that_came_late_does_not_move_the_clock(journal: Journal):
    journal.read(late=0.5)
    taken_at = journal.hands.now
    journal.add("1")
    journal.hands.turn(1)
    journal.read()
    assert journal.moments["1"] == taken_at


def test_a_clock_that_is_better_known_is_taken(hands: HandClock):
    journal = Journal(hands)
    redis_time = journal.time
    hands.turn(2)
    journal.cursor.connected(facts_of(journal, redis_time), STARTED, hands.now)
    journal.read()
    taken_at = hands.turn(1)
    journal.add("1")
    hands.turn(1)
    journal.read()
    assert journal.moments["1"] == taken_at


def facts_of(journal: Journal, redis_time: float) -> Facts:
    return Facts(journal.run_id, redis_time, journal.newest, False, 1e6, False)


def test_a_clock_that_was_set_back_is_believed_at_the_second_read(journal: Journal):
    journal.ahead -= 3600
    journal.hands.turn(1)
    journal.read()
    assert journal.cursor.doubt_seconds == 0
    journal.hands.turn(1)
    journal.read()
    proven = journal.hands.now
    journal.add("1")
    journal.hands.turn(1)
    journal.read()
    # Redis goes on from the last id, whose time is to come by its clock now.
    assert journal.moments["1"] == proven
    assert journal.cursor.doubt_seconds == 1
    journal.hands.turn(3700)
    journal.read()
    taken_at = journal.hands.turn(1)
    journal.add("2")
    journal.hands.turn(2)
    journal.read()
    assert journal.moments["2"] == taken_at


def test_one_answer_that_is_off_does_not_set_the_clock(journal: Journal):
    journal.ahead -= 3600
    journal.read()
    journal.ahead += 3600
    taken_at = journal.hands.turn(1)
    journal.add("1")
    journal.read()
    journal.ahead -= 3600
    journal.read()
    assert journal.moments["1"] == taken_at
    assert journal.cursor._clock_ahead == WALL_AHEAD


@pytest.mark.xfail(strict=True, reason="a clock that was set forward is as well known as the one before")
def test_a_clock_that_was_set_forward_is_known_no_better_than_by_its_first_answer(journal: Journal):
    """What comes behind an entry counts as published later than it was, and is lost in silence with the journal."""
    journal.ahead += 5
    lost_at = journal.hands.turn(1)
    journal.add(*(str(number) for number in range(MIN_READ_COUNT + 1)))
    journal.read(late=0.125)
    journal.clear()
    journal.hands.turn(1)
    journal.read()
    assert journal.got[-1] == str(MIN_READ_COUNT - 1)
    assert journal.tells(lost_at)


@pytest.mark.xfail(strict=True, reason="while Redis' clock is behind its last id, that is no time at all")
def test_an_id_that_redis_could_only_count_on_from_proves_nothing(journal: Journal):
    """After its clock was set back Redis goes on from the last id until the clock has passed it."""
    journal.ahead -= 5
    journal.hands.turn(3)
    journal.read()
    lost_at = journal.hands.turn(0.5)
    journal.add(*(str(number) for number in range(MIN_READ_COUNT + 1)))
    journal.hands.turn(3)
    journal.read()
    journal.clear()
    journal.hands.turn(1)
    journal.read()
    assert journal.got[-1] == str(MIN_READ_COUNT - 1)
    assert journal.tells(lost_at)


# Replies


def test_reads_the_replies_of_both_protocols():
    entries: list[Entry] = [(b"1-0", {b"event": b"x"}), (b"2-0", {b"event": b"y"})]
    assert read_entries(None) == read_entries([]) == read_entries({}) == []
    assert read_entries([[b"key", entries]]) == entries
    assert read_entries({b"key": [entries]}) == entries
    assert read_entries({b"key": []}) == []


def test_an_id_is_a_time_and_a_number():
    assert entry_parts(b"1700000000123-4") == (1_700_000_000_123, 4)
    assert entry_parts(b"9-0") < entry_parts(b"10-0")


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
