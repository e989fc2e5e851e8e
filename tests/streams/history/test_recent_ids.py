from __future__ import annotations

from streams.history.recent_ids import RecentIds


def known(ids: RecentIds, event_id: str) -> bool:
    return event_id in ids.newer or event_id in ids.older


def test_expire_lets_go_what_was_noted_twice_the_seconds_ago_and_nothing_sooner():
    ids = RecentIds(10.0, 100, now=0.0)
    ids.newer.add("a")
    ids.expire(9.9)
    assert "a" in ids.newer
    ids.expire(10.0)
    ids.newer.add("b")
    ids.expire(19.9)
    assert known(ids, "a")
    ids.expire(20.0)
    assert not known(ids, "a")
    assert known(ids, "b")


def test_expire_keeps_the_last_ones_where_there_are_too_many():
    ids = RecentIds(1000.0, 100, now=0.0)
    for number in range(1000):
        ids.newer.add(str(number))
        ids.expire(1.0)
        assert all(known(ids, str(each)) for each in range(max(0, number - 99), number + 1))
    assert len(ids.newer) + len(ids.older) <= 202


def test_note_says_which_ids_were_noted_before():
    ids = RecentIds(10.0, 100, now=0.0)
    assert ids.note(["a", "b"], now=0.0) == set()
    assert ids.note(["b", "c"], now=0.0) == {"b"}
    ids.expire(now=10.0)
    assert ids.note(["c", "d"], now=10.0) == {"c"}, "they are known for that long, and up to twice as long"


def test_note_says_which_ids_come_twice_at_once():
    ids = RecentIds(10.0, 100, now=0.0)
    ids.note(["a"], now=0.0)
    assert ids.note(["a", "b", "c", "c"], now=0.0) == {"a", "c"}


def test_note_makes_room_where_there_are_too_many():
    ids = RecentIds(1000.0, 2, now=0.0)
    ids.note(["a", "b", "c"], now=0.0)
    assert (ids.newer, ids.older) == (set(), {"a", "b", "c"})
    assert ids.note(["a"], now=0.0) == {"a"}


def test_note_takes_what_is_no_string_for_no_id():
    ids = RecentIds(10.0, 100, now=0.0)
    for known_before in (set(), {"a"}):
        assert ids.note([None, None, 7, True, [], {"a": 1}, "a"], now=0.0) == known_before
        assert ids.note([None, 7, 7], now=0.0) == set()
    assert None not in ids.newer
