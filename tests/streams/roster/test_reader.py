"""What anybody reads of the roster, page by page."""

from __future__ import annotations

import random

import pytest

from streams.roster.lanes import Lane, LaneState, StoreState
from streams.roster.queries import LARGE
from streams.roster.reader import MAX_LOOKS
from streams.roster.reads import SEARCH
from tests.streams.roster.fleet import DAY, MINUTE, Fleet, lanes_of

HOUR = 3600.0


async def all_lanes(fleet: Fleet, limit: int = 7, **wanted: object) -> list[str]:
    """Read page after page."""
    names: list[str] = []
    cursor = ""
    while True:
        page = await fleet.reader.lanes(cursor=cursor, limit=limit, **wanted)  # type: ignore[arg-type]
        assert len(page.clients) <= limit
        names += [lane.client_name for lane in page.clients]
        if page.next_cursor is None:
            return names
        assert page.next_cursor != cursor
        cursor = page.next_cursor


async def all_stores(fleet: Fleet, limit: int = 2, state: StoreState | None = None) -> list[str]:
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await fleet.reader.stores(state=state, cursor=cursor, limit=limit)
        names += [store.store for store in page.stores]
        cursor = page.next_cursor
    return names


async def night_and_day(fleet: Fleet) -> None:
    """Three stores: one is complete, one partial, one dark; and a lane without a store."""
    await fleet.beat("one", "two")
    lanes = lanes_of([1, 2, 3], 3)
    await fleet.expect(*lanes)
    await fleet.connect("one", *lanes, "alone")
    await fleet.began()
    await fleet.end("one", *lanes_of([2], 1), *lanes_of([3], 3), ago=HOUR)
    await fleet.round()


async def found(fleet: Fleet, name: str) -> Lane:
    lane = await fleet.reader.lane(name)
    assert lane is not None
    return lane


async def test_pods(fleet: Fleet):
    """Those of the last day, and those that are alive first."""
    await fleet.beat("b", "a", "c", "old")
    await fleet.beat("a", ago=HOUR)
    await fleet.beat("old", ago=DAY + 1)
    pods = await fleet.reader.pods()
    assert [(heard.life, heard.alive) for heard in pods] == [("b", True), ("c", True), ("a", False)]
    assert pods[0].says.pod_name == "pod-of-b"


async def test_totals(fleet: Fleet):
    """The lanes of a dark store are not missing."""
    await night_and_day(fleet)
    assert await fleet.totals() == {
        "stores": 4,
        "lanes": 10,
        "expected": 9,
        "connected": 6,
        "offline": 3,
        "missing": 1,
        "dark_stores": 1,
        "partial_stores": 1,
        "pods": 2,
    }


async def test_totals_of_nothing(fleet: Fleet):
    """Before any pod was there."""
    assert await fleet.totals() == {}
    assert await all_lanes(fleet) == await all_stores(fleet) == []
    assert await fleet.reader.pods() == []
    assert (await fleet.reader.lanes()).as_of > "2020"
    assert await fleet.reader.store("STORE001") is None


async def test_lane(fleet: Fleet):
    """Each state, and nothing of a name that was never seen."""
    await night_and_day(fleet)
    connected = await found(fleet, "STORE00001-LANE01")
    assert (connected.state, connected.life, connected.pod_name) == (LaneState.CONNECTED, "one", "pod-of-one")
    missing = await found(fleet, "STORE00002-LANE01")
    assert (missing.state, missing.last_reason, missing.pod_name) == (LaneState.MISSING, "dead-peer", "pod-of-one")
    assert missing.missing_since == missing.last_seen_at
    assert (await found(fleet, "STORE00003-LANE01")).state is LaneState.OFFLINE
    assert (await found(fleet, "alone")).state is LaneState.CONNECTED
    assert await fleet.reader.lane("STORE00003-LANE99") is None
    assert await fleet.reader.lane("nobody") is None


async def test_lane_is_as_of_now(fleet: Fleet):
    """Without the tally, which may be a second late."""
    await night_and_day(fleet)
    await fleet.connect("two", "STORE00003-LANE01")
    assert (await found(fleet, "STORE00003-LANE01")).life == "two"
    assert (await found(fleet, "STORE00003-LANE02")).state is LaneState.MISSING
    await fleet.beat("two", ago=20)
    assert (await found(fleet, "STORE00003-LANE01")).state is LaneState.UNKNOWN
    assert (await found(fleet, "STORE00003-LANE02")).state is LaneState.OFFLINE


async def test_store(fleet: Fleet):
    await night_and_day(fleet)
    answer = await fleet.reader.store("STORE00002")
    assert answer is not None
    store, lanes = answer
    assert (store.state, store.connected, store.missing) == (StoreState.PARTIAL, 2, ["STORE00002-LANE01"])
    assert [lane.client_name for lane in lanes] == lanes_of([2], 3)
    await fleet.connect("one", "STORE00002-LANE01")
    answer = await fleet.reader.store("STORE00002")
    assert answer is not None
    assert answer[0].state is StoreState.COMPLETE
    assert await fleet.reader.store("STORE00009") is None


async def test_stores(fleet: Fleet):
    """All, and those in one state; each once."""
    await night_and_day(fleet)
    assert await all_stores(fleet) == ["", "STORE00001", "STORE00002", "STORE00003"]
    assert await all_stores(fleet, limit=1) == ["", "STORE00001", "STORE00002", "STORE00003"]
    assert await all_stores(fleet, state=StoreState.COMPLETE) == ["", "STORE00001"]
    assert await all_stores(fleet, state=StoreState.PARTIAL) == ["STORE00002"]
    assert await all_stores(fleet, state=StoreState.DARK) == ["STORE00003"]
    page = await fleet.reader.stores(state=StoreState.PARTIAL)
    assert (page.next_cursor, page.stores[0].missing) == (None, ["STORE00002-LANE01"])


async def test_stores_that_the_tally_has_not_seen(fleet: Fleet):
    await fleet.beat("one")
    await fleet.round()
    await fleet.connect("one", *lanes_of([1, 2, 3], 2))
    assert await all_stores(fleet) == ["STORE00001", "STORE00002", "STORE00003"]


async def test_lanes(fleet: Fleet):
    """In the order of their names but for those without a store, which come first."""
    await night_and_day(fleet)
    names = ["alone", *lanes_of([1, 2, 3], 3)]
    for limit in (1, 2, 3, 9, 10, 11):
        assert await all_lanes(fleet, limit) == names
    assert (await fleet.reader.lanes(limit=10)).next_cursor is None
    assert (await fleet.reader.lanes(limit=9)).next_cursor == "STORE00003-LANE02"


async def test_lanes_of_a_store(fleet: Fleet):
    await night_and_day(fleet)
    assert await all_lanes(fleet, 2, store="STORE00002") == lanes_of([2], 3)
    assert await all_lanes(fleet, store="") == ["alone"]
    assert await all_lanes(fleet, store="STORE00009") == []
    assert await all_lanes(fleet, 1, store="STORE00002", state=LaneState.CONNECTED) == lanes_of([2], 3)[1:]


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (LaneState.CONNECTED, ["alone", *lanes_of([1], 3), *lanes_of([2], 3)[1:]]),
        (LaneState.OFFLINE, lanes_of([3], 3)),
        (LaneState.MISSING, lanes_of([2], 1)),
        (LaneState.UNKNOWN, []),
    ],
)
async def test_lanes_in_a_state(fleet: Fleet, state: LaneState, names: list[str]):
    await night_and_day(fleet)
    for limit in (1, 2, 3, 9):
        assert await all_lanes(fleet, limit, state=state) == names


async def test_lanes_by_a_part_of_their_names(fleet: Fleet):
    """Large letters or small ones, and nothing of it is a pattern."""
    await night_and_day(fleet)
    assert await all_lanes(fleet, 2, q="2-LANE") == lanes_of([2], 3)
    assert await all_lanes(fleet, 2, q="lane02") == [name for name in lanes_of([1, 2, 3], 3) if name.endswith("2")]
    assert await all_lanes(fleet, q="ALO") == ["alone"]
    assert await all_lanes(fleet, q="lane.*") == await all_lanes(fleet, q="%a") == []
    assert await all_lanes(fleet, q="LANE01", state=LaneState.MISSING) == lanes_of([2], 1)
    assert await all_lanes(fleet, q="LANE01", store="STORE00001") == lanes_of([1], 1)


async def test_lanes_that_match_rarely(fleet: Fleet):
    """One page looks through so many stores, and says where to look on."""
    await fleet.beat("one")
    await fleet.round()
    names = lanes_of(range(MAX_LOOKS // SEARCH + 300), 1)
    await fleet.connect("one", *names)
    wanted = names[-1].lower()
    first = await fleet.reader.lanes(q=wanted)
    assert first.clients == []
    assert first.next_cursor == f"STORE{MAX_LOOKS // SEARCH - 1:05}/"
    second = await fleet.reader.lanes(q=wanted, cursor=first.next_cursor)
    assert [lane.client_name for lane in second.clients] == names[-1:]
    assert second.next_cursor is None


async def test_lanes_says_as_of_when(fleet: Fleet):
    """As of the tally's last look, in Redis' time."""
    await fleet.beat("one")
    await fleet.round()
    await fleet.client.hset(fleet.prefix + "tally", "at", 1_767_225_600_123)
    assert (await fleet.reader.lanes()).as_of == "2026-01-01T00:00:00.123Z"
    assert (await fleet.reader.stores()).as_of == "2026-01-01T00:00:00.123Z"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("with_state", [False, True], ids=["any", "offline"])
async def test_lanes_while_the_roster_changes(fleet: Fleet, seed: int, with_state: bool):
    """A lane that stayed is on exactly one page, whatever comes and goes between two pages."""
    draw = random.Random(seed)
    await fleet.beat("one")
    everything = lanes_of(range(30), 4) + [f"lane{number}" for number in range(6)]
    stayed = sorted(draw.sample(everything, 60), key=lambda name: ("-" in name, name))
    others = [name for name in everything if name not in stayed]
    await fleet.connect("one", *stayed)
    if with_state:
        await fleet.end("one", *stayed)
    await fleet.round()
    state, cursor = (LaneState.OFFLINE if with_state else None), ""
    names: list[str] = []
    while True:
        page = await fleet.reader.lanes(state=state, cursor=cursor, limit=draw.randint(1, 9))
        names += [lane.client_name for lane in page.clients]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        for name in draw.sample(others, 5):
            if draw.random() < 0.5:
                await fleet.connect("one", name)
                if with_state and draw.random() < 0.5:
                    await fleet.end("one", name)
            else:
                await fleet.reader.retire(name)
        if draw.random() < 0.5:
            await fleet.round()
    assert [name for name in names if name in stayed] == stayed
    assert len(set(names)) == len(names)


async def large_store(fleet: Fleet) -> list[str]:
    await fleet.beat("one")
    names = [f"lane{number:05}" for number in range(LARGE + 300)]
    await fleet.connect("one", *names)
    await fleet.round()
    await fleet.age(DAY)
    return names


async def test_lanes_of_a_large_store(fleet: Fleet):
    """It is read in parts, in the same order, between others."""
    names = await large_store(fleet)
    await fleet.connect("one", *lanes_of([1], 2))
    await fleet.round()
    assert await all_lanes(fleet, 97) == [*names, *lanes_of([1], 2)]
    assert await all_lanes(fleet, 97, store="") == names
    assert await all_lanes(fleet, 5, q="lane0099") == names[990:1000]
    await fleet.end("one", *names[100:120])
    await fleet.mark()
    await fleet.round()
    assert await all_lanes(fleet, 7, state=LaneState.OFFLINE) == names[100:120]


async def test_store_of_a_large_store(fleet: Fleet):
    """Its first lanes, and its sum as the tally has it."""
    names = await large_store(fleet)
    answer = await fleet.reader.store("")
    assert answer is not None
    assert (answer[0].lanes, answer[0].connected) == (LARGE + 300, LARGE + 300)
    assert [lane.client_name for lane in answer[1]] == names[:LARGE]


async def test_lane_of_a_large_store(fleet: Fleet):
    """As of now, but for what the tally found of its store."""
    names = await large_store(fleet)
    await fleet.reader.expect("", names)
    await fleet.end("one", *names, ago=HOUR)
    await fleet.mark()
    await fleet.round()
    assert (await found(fleet, names[7])).state is LaneState.OFFLINE
    await fleet.connect("one", names[0])
    await fleet.mark()
    await fleet.round()
    assert (await found(fleet, names[0])).state is LaneState.CONNECTED
    assert (await found(fleet, names[7])).state is LaneState.MISSING
    assert await fleet.reader.lane("nobody") is None


async def test_expect(fleet: Fleet):
    """These are expected, others of the store are not; also those that were never there."""
    await fleet.beat("one")
    first, second, third = lanes_of([1], 3)
    await fleet.expect(first, second)
    await fleet.connect("one", first, second)
    await fleet.began()
    await fleet.reader.expect("STORE00001", [second, third])
    await fleet.round()
    assert {name: (await found(fleet, name)).expected for name in (first, second, third)} == {
        first: False,
        second: True,
        third: True,
    }
    assert (await found(fleet, third)).state is LaneState.MISSING
    assert (await fleet.totals())["expected"] == 2
    await fleet.reader.expect("STORE00001", [first])
    await fleet.round()
    assert not (await found(fleet, second)).expected
    assert await fleet.reader.lane(third) is None


async def test_expect_nothing(fleet: Fleet):
    """Lanes are learned again."""
    await fleet.beat("one")
    first, second = lanes_of([1], 2)
    await fleet.expect(first)
    await fleet.reader.expect("STORE00001", [second])
    assert not (await found(fleet, first)).expected
    await fleet.reader.expect("STORE00001", [])
    assert (await found(fleet, first)).expected
    assert await fleet.reader.lane(second) is None


async def test_expect_a_store_that_was_never_seen(fleet: Fleet):
    """All of it is away."""
    await fleet.reader.expect("STORE00007", lanes_of([7], 2))
    await fleet.began()
    (store,) = (await fleet.reader.stores()).stores
    assert (store.store, store.state, store.expected) == ("STORE00007", StoreState.DARK, 2)


async def test_expect_lanes_of_another_store(fleet: Fleet):
    with pytest.raises(ValueError, match="no lane of the store 'STORE00001'"):
        await fleet.reader.expect("STORE00001", ["STORE00001-LANE01", "STORE00002-LANE01"])
    assert not await fleet.client.keys(fleet.prefix + "*")


async def test_retire(fleet: Fleet):
    """Nothing is left of it until it connects again."""
    await fleet.beat("one")
    first, second = lanes_of([1], 2)
    await fleet.expect(first, second)
    await fleet.connect("one", first, second)
    await fleet.end("one", first, ago=10 * MINUTE)
    await fleet.began()
    assert await fleet.reader.retire(first)
    assert not await fleet.reader.retire(first)
    assert await fleet.reader.lane(first) is None
    await fleet.round()
    assert (await fleet.totals())["lanes"] == 1
    await fleet.connect("one", first)
    assert (await found(fleet, first)).expected is False


async def test_retire_while_it_is_connected(fleet: Fleet):
    """It is there for as long as its connection is."""
    await fleet.beat("one")
    (name,) = lanes_of([1], 1)
    await fleet.expect(name)
    await fleet.connect("one", name)
    await fleet.round()
    assert await fleet.reader.retire(name)
    lane = await found(fleet, name)
    assert (lane.state, lane.expected) == (LaneState.CONNECTED, False)
    await fleet.end("one", name)
    assert await fleet.reader.lane(name) is None
    await fleet.round()
    assert await fleet.totals() == {"pods": 1}
    assert await fleet.client.keys(fleet.prefix + "*STORE*") == []


async def test_retire_a_lane_whose_pod_died(fleet: Fleet):
    """Its entry goes as well."""
    await fleet.beat("one", ago=20)
    await fleet.connect("one", "STORE00001-LANE01")
    assert await fleet.reader.retire("STORE00001-LANE01")
    assert await fleet.reader.lane("STORE00001-LANE01") is None


async def test_retire_a_stranger(fleet: Fleet):
    assert not await fleet.reader.retire("STORE00001-LANE01")
