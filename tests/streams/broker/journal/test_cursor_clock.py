"""How the cursor follows Redis' clock, and what it makes of one that was set."""

from __future__ import annotations

from streams.broker.journal.cursor import MIN_READ_COUNT
from streams.broker.journal.entries import Facts
from tests.streams.broker.journal.journals import Journal
from tests.streams.clocks import STARTED, WALL_AHEAD, HandClock


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
    journal.hands.turn(1)
    journal.read()
    proven = journal.hands.now
    journal.add("1")
    journal.hands.turn(1)
    journal.read()
    # Redis goes on from the last id, whose time is to come by its clock now.
    assert journal.moments["1"] == proven
    assert journal.unsure == [proven]
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
    assert journal.cursor._clock.ahead_seconds == WALL_AHEAD


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


def test_an_answer_that_comes_late_may_hide_that_the_clock_was_set_forward(journal: Journal):
    """What comes behind an entry counts as published later than it was, and is lost in silence with the journal."""
    journal.ahead += 0.5
    lost_at = journal.hands.turn(1)
    journal.add(*(str(number) for number in range(MIN_READ_COUNT + 1)))
    journal.read(late=2)
    assert journal.moments["0"] <= lost_at <= journal.moments["0"] + journal.cursor.early_seconds
    journal.clear()
    journal.hands.turn(1)
    journal.read()
    assert journal.got[-1] == str(MIN_READ_COUNT - 1)
    assert journal.tells(lost_at)


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


def test_a_clock_that_was_set_back_by_little_makes_moments_too_early_by_as_much(journal: Journal):
    """It is not believed, as a late answer looks the same."""
    journal.ahead -= 0.5
    journal.hands.turn(2)
    journal.read()
    taken_at = journal.hands.turn(1)
    journal.add("1")
    journal.hands.turn(0.125)
    journal.read()
    assert journal.moments["1"] < taken_at <= journal.moments["1"] + journal.cursor.early_seconds
    journal.ahead -= 60
    journal.read()
    assert journal.cursor.early_seconds == 0, "and one by so much is believed at the second read"
    journal.ahead += 60.5
    journal.read()
    assert journal.cursor.early_seconds == 0


def test_what_redis_counted_on_from_a_time_to_come_is_no_younger_when_that_time_comes(hands: HandClock):
    """Its clock was set back before this pod was there; entries that are read late were taken long before."""
    journal = Journal(hands)
    journal.add("0")
    to_come = int(1000 * journal.time) + 5000
    journal.add("1", at=(to_come, 0))
    journal.catch_up()
    hands.turn(1)
    journal.add("2", at=(to_come, 1))
    taken_at = hands.now
    hands.turn(10)
    journal.read()
    assert journal.moments["2"] <= taken_at


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
