"""What the cursor calls lost: entries that were trimmed or deleted, and what another Redis may lack."""

from __future__ import annotations

import pytest

from streams.broker.journal import cursor as module
from streams.broker.journal.cursor import MIN_READ_COUNT
from streams.broker.journal.entries import EVENT_FIELD, Entry
from tests.streams.broker.journal.journals import Journal, written
from tests.streams.clocks import HandClock


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


def test_a_journal_that_was_begun_anew_with_the_same_id_is_not_taken_for_the_one_before(journal: Journal):
    """DEL and XADD in the millisecond of the last entry."""
    journal.add("1")
    same = journal.last
    journal.read()
    lost_at = journal.hands.now
    journal.clear()
    journal.add("2", at=same)
    journal.hands.turn(1)
    journal.read()
    assert journal.tells(lost_at)
    journal.add("3")
    journal.hands.turn(1)
    journal.read()
    journal.read()
    assert journal.got == ["first", "1", "3"]
    assert len(journal.losses) == 1


def test_another_redis_whose_last_id_is_that_of_another_entry_does_not_hold_the_position(journal: Journal):
    journal.add("1")
    same = journal.last
    journal.read()
    lost_at = journal.hands.turn(1)
    journal.clear()
    journal.add("2", at=same)
    assert journal.connect() is not None
    journal.read()
    assert journal.tells(lost_at)


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


def test_a_journal_that_goes_on_with_ids_of_another_end_gives_nothing_twice(journal: Journal):
    """A replica that lacked the end became the primary, and its clock is behind the last id."""
    journal.add("kept")
    kept = journal.last
    journal.hands.turn(1)
    journal.add("lost")
    journal.read()
    journal.delete_last()
    journal.add("other", at=(kept[0], kept[1] + 1))
    journal.hands.turn(1)
    journal.read()
    journal.read()
    assert journal.got == ["first", "kept", "lost", "other"]
    journal.add("next")
    journal.hands.turn(1)
    journal.read()
    assert journal.got[-2:] == ["other", "next"]


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


def test_a_journal_that_lost_more_than_is_known_of_it_is_read_again(journal: Journal, monkeypatch: pytest.MonkeyPatch):
    """The ids that are known are bounded: what is read twice has an id of its own, what is lost has none."""
    monkeypatch.setattr(module, "IDS_KEPT", 3)
    journal.add("1", "2", "3", "4")
    journal.read()
    journal.delete_last()
    journal.read()
    assert journal.got == ["first", "1", "2", "3", "4"], "that much is known"
    for _ in range(2):
        journal.delete_last()
    journal.hands.turn(1)
    journal.read()
    journal.read()
    assert journal.got[5:] == ["first", "1"]
