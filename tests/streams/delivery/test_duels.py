from __future__ import annotations

from streams.delivery.duels import DUEL_SECONDS, Duels

LIMIT = 3


def evicted(duels: Duels, name: str, times: int) -> None:
    for _ in range(times):
        duels.note_eviction(name)


def test_a_name_that_was_evicted_too_often_is_dueling(now: list[float]):
    duels = Duels(LIMIT)
    assert not duels.dueling("a")
    evicted(duels, "a", LIMIT - 1)
    assert not duels.dueling("a")
    evicted(duels, "a", 1)
    assert duels.dueling("a")
    assert not duels.dueling("b")


def test_evictions_count_for_a_minute(now: list[float]):
    duels = Duels(LIMIT)
    evicted(duels, "a", 1)
    now[0] += 10
    evicted(duels, "a", LIMIT - 1)
    now[0] += DUEL_SECONDS - 10.1
    assert duels.dueling("a")
    now[0] += 0.2
    assert not duels.dueling("a"), "the first is more than a minute ago"
    evicted(duels, "a", 1)
    assert duels.dueling("a"), "the last three are within one"


def test_forgets_names_whose_evictions_no_longer_count(now: list[float]):
    duels = Duels(LIMIT)
    evicted(duels, "a", LIMIT)
    now[0] += 30
    evicted(duels, "b", LIMIT)
    now[0] += 31
    duels.forget()
    assert list(duels._evictions) == ["b"]
    assert duels.dueling("b")
