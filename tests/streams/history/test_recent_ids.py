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


def test_note_says_whether_any_was_noted_before():
    ids = RecentIds(10.0, 100, now=0.0)
    assert not ids.note(["a", "b"], now=0.0)
    assert ids.note(["b", "c"], now=0.0)
    ids.expire(now=10.0)
    assert ids.note(["c", "d"], now=10.0), "they are known for that long, and up to twice as long"
    assert not ids.note(["e", "f"], now=10.0)
    ids.remember(["g"])
    assert ids.note(["g"], now=10.0)


def test_note_says_whether_any_comes_twice_at_once():
    ids = RecentIds(10.0, 100, now=0.0)
    assert ids.note(["a", "b", "b"], now=0.0)


def test_note_makes_room_where_there_are_too_many():
    ids = RecentIds(1000.0, 3, now=0.0)
    ids.note(["a", "b", "c"], now=0.0)
    assert ids.older == {"a", "b", "c"}
    assert ids.note(["a"], now=0.0)


def test_events_without_an_id_have_none_in_common():
    ids = RecentIds(10.0, 100, now=0.0)
    for _ in range(2):
        assert not ids.note([None], now=0.0)
        assert not ids.note([None, None, None], now=0.0)
        ids.expire(now=10.0)
    assert not ids.note([None, "a", None], now=10.0)
    assert ids.note([None, "a", None], now=10.0)


def test_what_has_no_hash_is_no_id():
    ids = RecentIds(10.0, 100, now=0.0)
    assert not ids.note([["x"], {}], now=0.0)
    assert "a" not in ids.newer
    ids.note([["x"], "a", {}], now=0.0)
    assert ids.note([["x"], "a"], now=0.0)
