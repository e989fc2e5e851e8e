"""What anybody reads of the roster, and says of what is expected."""

from __future__ import annotations

import pytest

from streams.roster.reading.lanes import Lane, LaneState, StoreState
from streams.roster.reading.queries import LARGE
from tests.streams.roster.fleet import DAY, HOUR, MINUTE, Fleet, lanes_of, large_store, night_and_day


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
    assert ((await fleet.reader.lanes()).clients, (await fleet.reader.stores()).stores) == ([], [])
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
    await fleet.connect("two", "STORE00003-LANE01", ago=2 * MINUTE)
    assert (await found(fleet, "STORE00003-LANE01")).life == "two"
    assert (await found(fleet, "STORE00003-LANE02")).state is LaneState.MISSING
    await fleet.beat("two", ago=20)
    assert (await found(fleet, "STORE00003-LANE01")).state is LaneState.UNKNOWN
    assert (await found(fleet, "STORE00003-LANE02")).state is LaneState.OFFLINE


async def test_stores_are_found_by_a_part_of_their_names(fleet: Fleet):
    """In one state or in any, page by page."""
    await night_and_day(fleet)
    await fleet.connect("one", "Shop00002-LANE01", "shop00002-LANE01")
    await fleet.round()
    found = await fleet.reader.stores(q="shop0", limit=1)
    assert [store.store for store in found.stores] == ["Shop00002"]
    found = await fleet.reader.stores(q="shop0", limit=1, cursor=found.next_cursor or "")
    assert ([store.store for store in found.stores], found.next_cursor) == (["shop00002"], None)
    assert [store.store for store in (await fleet.reader.stores(q="00002")).stores] == [
        "STORE00002",
        "Shop00002",
        "shop00002",
    ]
    (store,) = (await fleet.reader.stores(q="00002", state=StoreState.PARTIAL)).stores
    assert (store.store, store.missing) == ("STORE00002", ["STORE00002-LANE01"])
    assert (await fleet.reader.stores(q="nowhere")).stores == []


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
    await fleet.connect("one", names[0], ago=2 * MINUTE)
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
    await fleet.round()
    assert (await found(fleet, "STORE00001-LANE01")).state is LaneState.UNKNOWN
    assert await fleet.reader.retire("STORE00001-LANE01")
    assert await fleet.reader.lane("STORE00001-LANE01") is None


async def test_retire_a_stranger(fleet: Fleet):
    assert not await fleet.reader.retire("STORE00001-LANE01")


async def test_stores_with_one_that_has_no_lane_on_a_page(fleet: Fleet):
    """A page that holds fewer stores than it has names leads on all the same."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1, 2, 3, 4], 1))
    await fleet.round()
    assert await fleet.reader.retire("STORE00002-LANE01")
    await fleet.end("one", "STORE00002-LANE01")
    await fleet.client.hdel(fleet.prefix + "summary", "STORE00002")
    found, cursor = [], ""
    for _page in range(4):
        page = await fleet.reader.stores(cursor=cursor, limit=1)
        found += [store.store for store in page.stores]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert found == ["STORE00001", "STORE00003", "STORE00004"]
