from __future__ import annotations

import pytest

from streams.delivery.duels.turns import (
    DUEL_SECONDS,
    LATE_SECONDS,
    MAX_NAMES,
    MAX_NEWS,
    TURNS_KEPT,
    TURNS_SECONDS,
    Duels,
    News,
)
from tests.streams.clocks import HandClock

LIMIT = 3
NAME = "STORE001-LANE01"
# How long a device waits that was sent away, as it is asked to.
WAIT_SECONDS = 40.0


@pytest.fixture
def duels(hands: HandClock) -> Duels:
    return Duels(LIMIT, hands.clock)


def evicted(duels: Duels, name: str, times: int) -> None:
    for _ in range(times):
        duels.note_eviction(name, "one", "one", WAIT_SECONDS)


def dueling(duels: Duels, name: str = NAME) -> bool:
    return duels.dueling(name, "one", "one")


# Fast ones


def test_dueling_is_a_name_that_was_evicted_too_often(duels: Duels):
    assert not dueling(duels)
    evicted(duels, NAME, LIMIT - 1)
    assert not dueling(duels)
    evicted(duels, NAME, 1)
    assert dueling(duels)
    assert not dueling(duels, "another")


def test_knows_the_names_that_somebody_lost(duels: Duels):
    assert not duels.knows("a")
    duels.note_eviction("a", "one", "other", 30.0)
    assert duels.knows("a")


def test_dueling_counts_evictions_for_a_minute(duels: Duels, hands: HandClock):
    evicted(duels, NAME, 1)
    hands.turn(10)
    evicted(duels, NAME, LIMIT - 1)
    hands.turn(DUEL_SECONDS - 10.125)
    assert dueling(duels)
    hands.turn(0.25)
    assert not dueling(duels), "the first is more than a minute ago"
    evicted(duels, NAME, 1)
    assert dueling(duels), "the last three are within one"


def test_forget_drops_evictions_that_no_longer_count(duels: Duels, hands: HandClock):
    evicted(duels, "a", LIMIT)
    hands.turn(30)
    evicted(duels, "b", LIMIT)
    hands.turn(31)
    duels.forget()
    assert list(duels._evictions) == ["b"]
    assert dueling(duels, "b")


# Polite ones


def take_turns(duels: Duels, hands: HandClock, one: str, other: str, turns: int) -> None:
    """Let two devices take a name from each other, each when it was asked to come back; `other` is the first."""
    for _ in range(turns):
        hands.turn(WAIT_SECONDS)
        assert not duels.dueling(NAME, other, one)
        duels.note_eviction(NAME, one, other, WAIT_SECONDS)
        one, other = other, one


@pytest.mark.parametrize("other", ["another", "one"], ids=["two origins", "one origin, as behind a proxy"])
def test_dueling_finds_polite_devices_at_their_third_turn(duels: Duels, hands: HandClock, other: str):
    take_turns(duels, hands, "one", other, 2)
    hands.turn(WAIT_SECONDS)
    assert duels.dueling(NAME, other, "one")
    assert duels.suspect(NAME, other)
    assert not duels.suspect("free", other)


@pytest.mark.parametrize("other", ["another", "one"], ids=["two origins", "one origin, as behind a proxy"])
def test_dueling_goes_on_while_the_other_comes_again(duels: Duels, hands: HandClock, other: str):
    take_turns(duels, hands, "one", other, 2)
    for _ in range(100):
        hands.turn(WAIT_SECONDS)
        assert duels.dueling(NAME, other, "one")
        duels.note_refusal(NAME, other, "one", WAIT_SECONDS)


def test_dueling_ends_a_quarter_of_an_hour_after_the_last_turn(duels: Duels, hands: HandClock):
    take_turns(duels, hands, "one", "another", 2)
    hands.turn(TURNS_SECONDS)
    assert duels.dueling(NAME, "another", "one")
    hands.turn(1)
    assert not duels.dueling(NAME, "another", "one")
    duels.forget()
    assert not duels._turns


def test_dueling_is_no_device_that_comes_anew_before_its_old_stream_has_ended(duels: Duels, hands: HandClock):
    """Its line was lost, again and again, and never at the moment that its old stream was asked to come back."""
    for _ in range(20):
        hands.turn(WAIT_SECONDS + LATE_SECONDS + 1)
        assert not duels.dueling(NAME, "one", "one")
        duels.note_eviction(NAME, "one", "one", WAIT_SECONDS)


def test_dueling_is_no_device_whose_line_comes_and_goes_all_the_time(duels: Duels, hands: HandClock):
    """It comes at moments at which older streams of its own were asked to come back, long ago."""
    for number in range(40):
        hands.turn(20)
        assert not duels._takes_turns(NAME, "one", "one")
        duels.note_eviction(NAME, "one", "one", 40.0 + number % 2)


def test_dueling_is_no_device_that_moves_on_and_on(duels: Duels, hands: HandClock):
    for number in range(20):
        hands.turn(5 * DUEL_SECONDS / LIMIT)
        assert not duels.dueling(NAME, f"address {number + 1}", f"address {number}")
        duels.note_eviction(NAME, f"address {number}", f"address {number + 1}", WAIT_SECONDS)


def test_dueling_is_no_device_that_lost_the_name_to_itself(duels: Duels, hands: HandClock):
    """It came anew; its stream ended, another device found the name free, and it takes the name from that one."""
    duels.note_eviction(NAME, "one", "one", WAIT_SECONDS)
    hands.turn(WAIT_SECONDS + LATE_SECONDS + 1)
    duels.note_eviction(NAME, "another", "one", WAIT_SECONDS)
    hands.turn(WAIT_SECONDS)
    assert not duels.dueling(NAME, "another", "one")


def test_dueling_does_not_end_when_the_one_that_has_the_name_comes_anew(duels: Duels, hands: HandClock):
    take_turns(duels, hands, "one", "another", 2)
    hands.turn(DUEL_SECONDS)
    assert not duels.dueling(NAME, "one", "one")
    assert not duels.suspect(NAME, "one")
    duels.note_eviction(NAME, "one", "one", WAIT_SECONDS)
    assert duels.dueling(NAME, "another", "one")


def test_dueling_knows_nothing_of_devices_without_an_origin(duels: Duels, hands: HandClock):
    take_turns(duels, hands, "", "", 10)


def test_dueling_is_no_device_that_may_have_been_taken_over_by_itself(duels: Duels, hands: HandClock):
    """A pod of an earlier version does not say who took the name."""
    for _ in range(10):
        hands.turn(WAIT_SECONDS + LATE_SECONDS + 1)
        assert not duels.dueling(NAME, "one", "another")
        duels.note_eviction(NAME, "one", "", WAIT_SECONDS)


# Other pods


def test_note_elsewhere_counts_as_what_happened_here(duels: Duels, hands: HandClock):
    other_pod = Duels(LIMIT, hands.clock)
    take_turns(other_pod, hands, "one", "another", 2)
    for news in other_pod.take_news():
        duels.note_elsewhere(news)
    hands.turn(WAIT_SECONDS)
    assert duels.suspect(NAME, "another")
    assert duels.dueling(NAME, "another", "one")
    assert duels.take_news() == other_pod.take_news() == []


def test_what_is_remembered_is_bounded(duels: Duels, hands: HandClock):
    for number in range(MAX_NAMES + 10):
        duels.note_elsewhere(News(f"client-{number}", "one", "another", WAIT_SECONDS, returned=False))
    assert len(duels._turns) == MAX_NAMES
    assert "client-0" not in duels._turns
    evicted(duels, NAME, MAX_NEWS + 1)
    assert len(duels.take_news()) == MAX_NEWS
    assert len(duels._turns[NAME]) == TURNS_KEPT
