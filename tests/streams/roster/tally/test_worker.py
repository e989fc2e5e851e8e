"""The tally against a real Redis: what it sums up, when it looks again, and who does it."""

from __future__ import annotations

import asyncio

import pytest

from streams.roster.lives import FORGET_SECONDS
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.queries import LARGE
from streams.roster.reading.states import Gone
from streams.roster.tally import worker
from streams.roster.tally.decisions import SETTLE_MS
from streams.roster.tally.worker import MAX_STORES
from tests.streams.roster.fleet import DAY, HOUR, MINUTE, MISSING_SECONDS, Fleet, lanes_of
from tests.support.waiting import eventually


async def names(fleet: Fleet, index: str) -> list[str]:
    return [each.decode() for each in await fleet.client.zrange(fleet.prefix + index, 0, -1)]


async def test_round_sums_up_what_was_claimed(fleet: Fleet):
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1, 2], 3), "alone")
    await fleet.end("one", "STORE00002-LANE01")
    assert await fleet.round()
    assert await fleet.totals() == {"stores": 3, "lanes": 7, "connected": 6, "offline": 1, "pods": 1}
    assert await names(fleet, "by:complete") == ["", "STORE00001", "STORE00002"]
    assert await names(fleet, f"with:{LaneState.OFFLINE}") == ["STORE00002"]


async def test_round_changes_what_changed(fleet: Fleet):
    """Sums and indices follow, also down to nothing."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1, 2], 3))
    await fleet.round()
    await fleet.end("one", *lanes_of([1], 3))
    await fleet.round()
    assert await fleet.totals() == {"stores": 2, "lanes": 6, "connected": 3, "offline": 3, "pods": 1}
    assert await names(fleet, f"with:{LaneState.CONNECTED}") == ["STORE00002"]
    for name in lanes_of([1], 3):
        assert await fleet.reader.retire(name)
    await fleet.round()
    assert await fleet.totals() == {"stores": 1, "lanes": 3, "connected": 3, "pods": 1}
    assert await names(fleet, "stores") == ["STORE00002"]
    assert await names(fleet, "by:complete") == ["STORE00002"]
    assert await fleet.client.hkeys(fleet.prefix + "summary") == [b"STORE00002"]


async def test_round_looks_again_when_a_lane_turns_missing(fleet: Fleet):
    """Nobody says anything then."""
    await fleet.beat("one")
    first, second = lanes_of([1], 2)
    await fleet.expect(first, second)
    await fleet.connect("one", first, second)
    await fleet.began()
    await fleet.end("one", second)
    await fleet.round()
    later = await fleet.client.zscore(fleet.prefix + "later", "STORE00001")
    assert 0 < later - await fleet.now_ms() <= 1000 * MISSING_SECONDS
    assert (await fleet.totals()).get("missing") is None
    # Two minutes pass.
    await fleet.end("one", second, ago=2 * MINUTE)
    await fleet.client.srem(fleet.prefix + "dirty", "STORE00001")
    await fleet.client.zadd(fleet.prefix + "later", {"STORE00001": later - 2 * 60_000})
    await fleet.round()
    totals = await fleet.totals()
    assert (totals["missing"], totals["partial_stores"]) == (1, 1)


async def test_round_without_a_change_looks_at_nothing(fleet: Fleet):
    """Only the moment of the last look moves."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 3))
    await fleet.round()
    before = await fleet.client.dump(fleet.prefix + "summary")
    await fleet.client.hset(fleet.prefix + "known:STORE00001", "STORE00001-LANE99", "20000 1 0")
    await fleet.round()
    assert await fleet.client.dump(fleet.prefix + "summary") == before


async def test_round_when_a_life_dies_and_comes_back(fleet: Fleet):
    """Its lanes are unknown meanwhile, those of others stay as they are."""
    await fleet.beat("one", "two")
    await fleet.connect("one", *lanes_of([1, 2], 2))
    await fleet.connect("two", *lanes_of([2, 3], 1))
    await fleet.round()
    assert await fleet.totals() == {"stores": 3, "lanes": 5, "connected": 5, "pods": 2}
    await fleet.beat("one", ago=20)
    await fleet.round()
    assert await fleet.totals() == {"stores": 3, "lanes": 5, "connected": 2, "unknown": 3, "pods": 1}
    await fleet.beat("one")
    await fleet.round()
    assert await fleet.totals() == {"stores": 3, "lanes": 5, "connected": 5, "pods": 2}


async def test_round_by_a_successor_knows_who_was_alive(fleet: Fleet):
    """A life that ended between two tallies is seen by the second one."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 2))
    await fleet.round("first")
    await fleet.beat("one", ago=20)
    await fleet.client.delete(fleet.prefix + "lock")
    assert await fleet.round("second")
    assert (await fleet.totals())["unknown"] == 2


async def test_round_is_one_pods_at_a_time(fleet: Fleet):
    await fleet.beat("one")
    assert await fleet.round("first")
    assert not await fleet.round("second")
    assert 0 < await fleet.client.pttl(fleet.prefix + "lock") <= 5000
    _tally, commands = fleet.tally("second")
    await commands.resign()
    assert not await fleet.round("second"), "only who has the lock gives it back"
    _tally, commands = fleet.tally("first")
    await commands.resign()
    assert await fleet.round("second")


async def test_round_after_one_that_was_not_finished(fleet: Fleet):
    """What a pod took and did not write is looked at by the next."""
    await fleet.beat("one")
    await fleet.round("first")
    await fleet.connect("one", *lanes_of([1, 2], 1))
    _tally, commands = fleet.tally("first")
    await fleet.client.pexpire(fleet.prefix + "lock", 100)
    assert sorted(await commands.take(10)) == ["STORE00001", "STORE00002"]
    assert await fleet.client.pttl(fleet.prefix + "lock") > 100, "who is at it keeps the lock"
    await fleet.client.delete(fleet.prefix + "lock")
    await fleet.round("second")
    assert (await fleet.totals())["lanes"] == 2
    assert not await fleet.client.exists(fleet.prefix + "doing")


async def test_round_of_a_pod_that_slept_writes_nothing(fleet: Fleet):
    """Another one has the lock by then, and what it wrote is newer."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 1))
    sleeper, commands = fleet.tally("first")
    await sleeper.round(commands, lambda: fleet.history)
    await fleet.client.set(fleet.prefix + "lock", "second")
    await fleet.end("one", *lanes_of([1], 1))
    await sleeper._look(commands, fleet.history, ["STORE00001"])
    assert await fleet.totals() == {"stores": 1, "lanes": 1, "connected": 1, "pods": 1}
    assert await commands.take(10) == []
    assert await fleet.client.smembers(fleet.prefix + "dirty") == {b"STORE00001"}


async def test_round_after_all_is_lost(fleet: Fleet):
    """The tally begins from nothing, and sums up what is claimed anew."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1, 2], 2))
    await fleet.round()
    keys = await fleet.client.keys(fleet.prefix + "*")
    await fleet.client.delete(*keys)
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([2], 1))
    await fleet.round()
    assert await fleet.totals() == {"stores": 1, "lanes": 1, "connected": 1, "pods": 1}
    assert await names(fleet, "by:complete") == ["STORE00002"]


async def test_round_after_a_part_is_lost(fleet: Fleet):
    """Nothing is counted twice, and nothing left out."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1, 2], 2))
    await fleet.round()
    await fleet.client.delete(fleet.prefix + "tally", fleet.prefix + "totals")
    await fleet.round()
    assert await fleet.totals() == {"stores": 2, "lanes": 4, "connected": 4, "pods": 1}


async def test_round_in_another_redis(fleet: Fleet):
    """The claims in the former one say who is there until all pods have claimed anew; nothing is missing by it."""
    await fleet.beat("one")
    stayed, left, away = lanes_of([1], 3)
    await fleet.expect(stayed, left, away)
    await fleet.connect("one", stayed, left)
    await fleet.began()
    assert (await fleet.totals())["missing"] == 1
    fleet.history = "history-2"
    await fleet.round()
    assert (await fleet.totals())["connected"] == 2
    await fleet.connect("one", stayed)
    await fleet.round()
    assert (await fleet.totals())["connected"] == 2
    since = int(await fleet.client.hget(fleet.prefix + "tally", "coming_since"))
    await fleet.client.hset(fleet.prefix + "tally", "coming_since", since - SETTLE_MS)
    await fleet.round()
    assert await fleet.totals() == {"stores": 1, "lanes": 3, "expected": 3, "connected": 1, "offline": 2, "pods": 1}


async def test_round_with_another_time_to_be_missing(fleet: Fleet):
    """A pod that takes over with another setting looks at everything again."""
    await fleet.beat("one")
    first, second = lanes_of([1], 2)
    await fleet.expect(first, second)
    await fleet.connect("one", first, second)
    await fleet.began()
    await fleet.end("one", second, ago=30)
    await fleet.round()
    assert "missing" not in await fleet.totals()
    await fleet.round(missing_seconds=20)
    assert (await fleet.totals())["missing"] == 1


async def test_round_buries_the_lanes_of_a_pod_that_died_long_ago(fleet: Fleet):
    """They ended with it; nothing else of their store does."""
    await fleet.beat("one", "two")
    first, second = lanes_of([1], 2)
    await fleet.connect("one", first, ago=2 * DAY)
    await fleet.connect("two", second)
    await fleet.round()
    await fleet.beat("one", ago=FORGET_SECONDS + 1)
    await fleet.round()
    assert await fleet.totals() == {"stores": 1, "lanes": 2, "connected": 1, "offline": 1, "expected": 1, "pods": 1}
    lane = await fleet.reader.lane(first)
    assert lane is not None
    assert (lane.state, lane.last_reason, lane.pod_name) == (LaneState.OFFLINE, "pod-lost", "pod-of-one")
    assert not await fleet.client.hexists(fleet.hash("here", first), first)
    assert await fleet.client.hexists(fleet.hash("here", second), second)


async def test_round_forgets_lives(fleet: Fleet):
    """Those whose lanes were buried, an hour later."""
    await fleet.beat("one", "two")
    await fleet.beat("one", ago=FORGET_SECONDS + HOUR + 1)
    await fleet.beat("two", ago=FORGET_SECONDS + HOUR - 60)
    await fleet.round()
    assert await fleet.client.hkeys(fleet.prefix + "pods") == [b"two"]


async def test_round_forgets_lanes_that_nobody_saw_for_a_season(fleet: Fleet):
    """Else a roster grows with every name that was ever used."""
    await fleet.beat("one")
    await fleet.know("STORE00001-LANE01", 90)
    await fleet.know("STORE00001-LANE02", 89)
    await fleet.round()
    assert await fleet.reader.lane("STORE00001-LANE01") is None
    assert await fleet.totals() == {"stores": 1, "lanes": 1, "offline": 1, "pods": 1}


async def test_round_keeps_what_came_back_meanwhile(fleet: Fleet):
    """A lane that connects between the look and what it leads to is neither buried nor forgotten."""
    await fleet.beat("one", "two")
    first, second = lanes_of([1], 2)
    await fleet.know(first, 90)
    await fleet.connect("one", second)
    await fleet.beat("one", ago=FORGET_SECONDS + 1)
    tally, commands = fleet.tally()
    clean = commands.clean
    called: list[list[str]] = []

    async def late(store: str, gone: list[Gone]) -> None:
        called.append(sorted(each.name for each in gone))
        await fleet.connect("two", first, second)
        await clean(store, gone)

    commands.clean = late  # type: ignore[method-assign]
    await tally.round(commands, lambda: fleet.history)
    await fleet.round()
    assert called == [[first, second]]
    totals = await fleet.totals()
    assert (totals["lanes"], totals["connected"]) == (2, 2)
    assert await fleet.client.hexists(fleet.hash("known", first), first)
    assert await fleet.client.hget(fleet.hash("seen", second), second) is None


async def test_round_keeps_a_store_that_came_back_meanwhile(fleet: Fleet):
    """Its last lane was retired, and another one connects before that is written."""
    await fleet.beat("one")
    first, second = lanes_of([1], 2)
    await fleet.know(first, 0)
    await fleet.round()
    await fleet.reader.retire(first)
    tally, commands = fleet.tally()
    write = commands.write

    async def late(differences: list[int], rows: list[str | bytes | int]) -> None:
        commands.write = write  # type: ignore[method-assign]
        await fleet.connect("one", second)
        await write(differences, rows)

    commands.write = late  # type: ignore[method-assign]
    await tally.round(commands, lambda: fleet.history)
    assert await fleet.totals() == {"stores": 1, "lanes": 1, "connected": 1, "pods": 1}
    assert await names(fleet, "stores") == ["STORE00001"]


async def test_round_sums_up_a_large_store(fleet: Fleet):
    """It is read in parts, its lanes stand in an index, and it is not looked at again at once."""
    await fleet.beat("one")
    lanes = [f"lane{number:05}" for number in range(LARGE + 200)]
    await fleet.connect("one", *lanes)
    tally, commands = fleet.tally()
    await tally.round(commands, lambda: fleet.history)
    assert (await fleet.totals())["connected"] == LARGE + 200
    assert await names(fleet, "large:") == lanes
    await fleet.end("one", *lanes[:10])
    await tally.round(commands, lambda: fleet.history)
    assert (await fleet.totals())["connected"] == LARGE + 200
    due = await fleet.client.zscore(fleet.prefix + "later", "")
    assert 0 < due - await fleet.now_ms() <= (LARGE + 200) / 5
    await fleet.client.zadd(fleet.prefix + "later", {"": 1})
    tally._large.clear()
    await tally.round(commands, lambda: fleet.history)
    assert (await fleet.totals())["offline"] == 10


async def test_round_says_as_of_when(fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    """All was looked at then: a moment at which something is left to look at is none."""
    await fleet.beat("one")
    await fleet.round()
    at = int(await fleet.client.hget(fleet.prefix + "tally", "at"))
    assert 0 <= await fleet.now_ms() - at < 5000
    await fleet.connect("one", *lanes_of(range(MAX_STORES + 1), 1))
    monkeypatch.setattr(worker, "ROUND_SECONDS", 0.0)
    tally, commands = fleet.tally()
    assert not await tally.round(commands, lambda: fleet.history)
    assert int(await fleet.client.hget(fleet.prefix + "tally", "at")) == at
    assert not await tally.round(commands, lambda: fleet.history)
    assert await tally.round(commands, lambda: fleet.history)
    assert int(await fleet.client.hget(fleet.prefix + "tally", "at")) > at


async def test_run_takes_turns(fleet: Fleet):
    """A pod that stops gives the lock back."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 2))
    first, _commands = fleet.tally("first")
    second, _commands = fleet.tally("second")
    task = asyncio.create_task(first.run())
    await eventually("the first to lead", lambda: first.leading, 10)
    other = asyncio.create_task(second.run())
    task.cancel()
    await asyncio.wait([task])
    await eventually("the second to lead", lambda: second.leading, 10)
    other.cancel()
    await asyncio.wait([other])
    assert not await fleet.client.exists(fleet.prefix + "lock")
    assert (await fleet.totals())["lanes"] == 2
