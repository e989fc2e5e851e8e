from __future__ import annotations

import msgspec

from streams.roster.keys import prefix, store_of
from streams.roster.lives import BEAT, LIFE_SECONDS, SUMS_SECONDS, Cluster, Heard, Life, read_cluster, read_lives
from tests.support.redis_server import RedisServer

SAYS = Life("pod-1", "1.0.0", "2026-01-01T00:00:00.000Z", connections=3)


def test_a_beat_tells_whether_redis_knew_the_pod_and_who_else_there_is(redis_server: RedisServer, client_name: str):
    beat = redis_server.client.register_script(BEAT)
    args: list[str | bytes] = [prefix(client_name), "l1", msgspec.json.encode(SAYS)]
    _, known, _, _ = beat(args=args)
    assert not known
    now_ms, known, lives, _ = beat(args=args)
    assert known
    (heard,) = read_lives(now_ms, lives)
    assert (heard.life, heard.says, heard.alive) == ("l1", SAYS, True)
    assert 0 <= heard.silent_seconds < 5


def test_a_life_that_is_silent_for_long_is_no_more():
    about = msgspec.json.encode(SAYS)
    said = [b"l1", b"1000 " + about, b"l2", b"2000 " + about, b"l3", b"nothing", b"l4", b"x {}", b"l5", b"5 {"]
    now_ms = 1000 + round(1000 * LIFE_SECONDS)
    assert [(heard.life, heard.alive) for heard in read_lives(now_ms, said)] == [("l1", False), ("l2", True)]


def test_a_store_is_what_stands_before_the_first_separator():
    assert [store_of(name) for name in ("STORE001-LANE-1", "kiosk", "-x", "A-")] == ["STORE001", "", "", "A"]


def test_a_beat_brings_what_the_tally_found_last(redis_server: RedisServer, client_name: str):
    keys = prefix(client_name)
    redis_server.client.hset(keys + "totals", mapping={"missing": 3, "dark_stores": 7, "lanes": 90})
    redis_server.client.hset(keys + "tally", "at", 17)
    beat = redis_server.client.register_script(BEAT)
    *_, sums = beat(args=[keys, "l1", msgspec.json.encode(SAYS)])
    assert sums == [b"3", b"7", b"17"]


def test_read_cluster_says_nothing_of_stores_while_nobody_looks_at_them():
    """Or before all of them were looked at once: a 0 would be taken for all is well."""
    lives = [Heard("l1", SAYS, 1.0), Heard("l2", SAYS, LIFE_SECONDS)]
    now = 1_000_000
    latest = now - round(1000 * SUMS_SECONDS)
    assert read_cluster(now, lives, [b"3", b"7", b"%d" % latest]) == Cluster(1, 3, 7)
    assert read_cluster(now, lives, [None, None, b"%d" % now]) == Cluster(1, 0, 0)
    assert read_cluster(now, lives, [b"3", b"7", b"%d" % (latest - 1)]) == Cluster(1)
    assert read_cluster(now, lives, [None, None, None]) == Cluster(1)
