"""The script in a real Redis beside its model, whatever pods say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.roster.keys import prefix, store_of
from streams.roster.script import DAYS, HERE_SECONDS, SCRIPT, Item, Kind, Outcome, line, read_answer
from tests.support.redis_server import RedisServer
from tests.support.roster_model import RosterModel

HISTORY = "history-1"
NAMES = ("A-1", "A-2", "B-1", "kiosk", "-x", "A-")
Batch = tuple[str, float, list[Item]]


class RealRoster:
    """The script, in a Redis of its own channel."""

    def __init__(self, client: Any, channel: str) -> None:
        self.client = client
        self.foreign: list[bytes] = []
        self.prefix = prefix(channel)
        for key in self.client.scan_iter(f"{self.prefix}*"):
            self.client.delete(key)
        self._script = self.client.register_script(SCRIPT)

    def say(self, life: str, items: list[Item], waited: float = 0.0) -> tuple[int, int, list[Outcome]]:
        """Return when Redis looked at it, when it was sent, both in milliseconds, and the outcomes."""
        seconds, microseconds = self.client.time()
        sent_ms = round(1000 * (seconds + microseconds / 1e6 - waited))
        args = [self.prefix, HISTORY, life, f"pod of {life}".replace(" ", "-"), sent_ms, "".join(map(line, items))]
        now, outcomes, self.foreign = read_answer(self._script(args=args))
        return round(1000 * now), sent_ms, outcomes

    def here(self) -> dict[str, tuple[str, int]]:
        """Return who has which name."""
        found = {}
        for key in self.client.scan_iter(f"{self.prefix}here:*"):
            for name, entry in self.client.hgetall(key).items():
                life, number, _opened = entry.decode().split()
                assert key.decode().endswith(f"{HISTORY}:{store_of(name.decode())}")
                found[name.decode()] = (life, int(number))
        return found

    def known(self, name: str) -> str:
        """Return what is known of a lane's days."""
        found: bytes = self.client.hget(f"{self.prefix}known:{store_of(name)}", name)
        return found.decode()


items = st.builds(
    Item,
    st.sampled_from((Kind.CLAIM, Kind.CLAIM, Kind.KEEP, Kind.RELEASE)),
    st.sampled_from(NAMES),
    st.integers(1, 4),
    # Far enough apart that the milliseconds between two commands change nothing.
    st.sampled_from((0.0, 60.0, 120.0, 180.0, 3600.0)),
    st.just("client-closed"),
)
batches = st.lists(
    st.tuples(st.sampled_from(("l1", "l2", "l3")), st.sampled_from((0.0, 30.0, 3000.0)), st.lists(items, max_size=8)),
    max_size=12,
)


@pytest.fixture(scope="module")
def database(redis_server: RedisServer) -> Iterator[Any]:
    """A database without the keys of other tests, since all are looked through again and again."""
    with redis.Redis.from_url(redis_server.url, db=1) as client:
        yield client


@settings(max_examples=150, deadline=None)
@given(said=batches)
def test_script_does_what_its_model_does(database: Any, said: list[Batch]):
    real, model = RealRoster(database, "roster-model"), RosterModel()
    for life, waited, batch in said:
        now_ms, sent_ms, outcomes = real.say(life, batch, waited)
        assert outcomes == model.say(HISTORY, life, "".join(map(line, batch)), now_ms, sent_ms)
        assert real.here() == {name: (held.life, held.number) for name, held in model.here[HISTORY].items()}


@pytest.fixture
def real(database: Any, client_name: str) -> RealRoster:
    return RealRoster(database, client_name)


def claim(name: str, number: int = 1, age: float = 0.0) -> Item:
    return Item(Kind.CLAIM, name, number, age)


def test_an_entry_is_short_and_lasts_for_a_day(real: RealRoster):
    real.say("0123456789abcdef", [claim("STORE001-LANE01")])
    key = f"{real.prefix}here:{HISTORY}:STORE001"
    assert len(real.client.hget(key, "STORE001-LANE01")) <= 64, "a hash of longer ones takes several times as much"
    assert HERE_SECONDS - 10 < real.client.ttl(key) <= HERE_SECONDS
    assert real.client.object("encoding", key) == b"listpack"


def test_an_end_is_noted_with_its_reason_and_pod(real: RealRoster):
    now_ms, _, _ = real.say("l1", [claim("A-1")])
    real.say("l1", [Item(Kind.RELEASE, "A-1", 1, reason="dead-peer")])
    ended_ms, reason, pod = real.client.hget(f"{real.prefix}seen:A", "A-1").decode().split()
    assert now_ms <= int(ended_ms) < now_ms + 10_000
    assert (reason, pod) == ("dead-peer", "pod-of-l1")
    assert real.here() == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{today} 1 0", "{today} 1 0"),
        ("{yesterday} 1 0", "{today} 3 0"),
        ("{yesterday} 5 1", "{today} 11 1"),
        ("{long ago} 16383 0", "{today} 1 0"),
        ("{yesterday} 16383 0", "{today} 16383 0"),
        ("{yesterday} 16383 2", "{today} 1 0"),
    ],
)
def test_the_days_on_which_a_lane_was_there_are_noted(real: RealRoster, before: str, after: str):
    today = int(time.time() // 86_400)
    days = {"today": today, "yesterday": today - 1, "long ago": today - DAYS}
    real.client.hset(f"{real.prefix}known:A", "A-1", before.format(**days))
    real.say("l1", [claim("A-1")])
    assert real.known("A-1") == after.format(**days)


def test_what_is_claimed_again_is_written_again_only_where_it_is_off(real: RealRoster):
    real.say("l1", [claim("A-1", age=60)])
    key = f"{real.prefix}here:{HISTORY}:A"
    before = real.client.hget(key, "A-1")
    real.say("l1", [claim("A-1", age=60.05)])
    assert real.client.hget(key, "A-1") == before
    real.say("l1", [claim("A-1", age=70)])
    assert real.client.hget(key, "A-1") != before


def test_an_entry_of_a_time_to_come_is_no_younger(real: RealRoster):
    """Redis' clock was set back since."""
    future = round(1000 * (time.time() + 3600))
    real.client.hset(f"{real.prefix}here:{HISTORY}:A", "A-1", f"l2 1 {future}")
    _, _, outcomes = real.say("l1", [claim("A-1")])
    assert [outcome.verdict for outcome in outcomes] == ["r"]
    assert real.here() == {"A-1": ("l1", 1)}


def test_a_store_that_comes_back_lasts_for_a_day_too(real: RealRoster):
    """Also within one batch."""
    real.say("l1", [claim("A-1")])
    real.say(
        "l1",
        [claim("A-2"), *(Item(Kind.RELEASE, name, 1, reason="client-closed") for name in ("A-1", "A-2")), claim("A-3")],
    )
    assert HERE_SECONDS - 10 < real.client.ttl(f"{real.prefix}here:{HISTORY}:A") <= HERE_SECONDS


def test_stores_are_marked_once_for_a_whole_batch(real: RealRoster):
    real.say("l1", [claim("A-1"), claim("B-1"), claim("A-2"), claim("kiosk")])
    for key in ("dirty", "of:l1"):
        assert real.client.smembers(real.prefix + key) == {b"A", b"B", b""}
    assert real.client.zrange(f"{real.prefix}stores", 0, -1) == [b"", b"A", b"B"]


@pytest.mark.parametrize(("kind", "here"), [("here:" + HISTORY, 1), ("known", 2), ("seen", 2)])
def test_a_foreign_key_keeps_no_other_name_from_being_said(real: RealRoster, kind: str, here: int):
    """It stays as it is, and is named; what is not in its way is done."""
    key = f"{real.prefix}{kind}:A"
    real.client.set(key, "foreign")
    real.say("l1", [claim("A-1"), claim("B-1"), Item(Kind.RELEASE, "A-2", 2, reason="dead-peer")])
    assert set(real.foreign) == {key.encode()}
    assert real.client.get(key) == b"foreign"
    real.client.delete(key)
    assert real.here().get("B-1") == ("l1", 1)
    assert len(real.here()) == here
    real.say("l1", [claim("A-1")])
    assert real.foreign == []
    assert real.here()["A-1"] == ("l1", 1)
