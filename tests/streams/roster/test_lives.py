from __future__ import annotations

import msgspec

from streams.roster.keys import prefix, store_of
from streams.roster.lives import BEAT, LIFE_SECONDS, Life, read_lives
from tests.support.redis_server import RedisServer

SAYS = Life("pod-1", "1.0.0", "2026-01-01T00:00:00.000Z", connections=3)


def test_a_beat_tells_whether_redis_knew_the_pod_and_who_else_there_is(redis_server: RedisServer, client_name: str):
    beat = redis_server.client.register_script(BEAT)
    args: list[str | bytes] = [prefix(client_name), "l1", msgspec.json.encode(SAYS)]
    _, known, _ = beat(args=args)
    assert not known
    now_ms, known, lives = beat(args=args)
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
