"""Pages of lanes and of stores: all of them, and each once."""

from __future__ import annotations

import random

import pytest

from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.reader import MAX_LOOKS
from streams.roster.reading.reads import SEARCH
from tests.streams.roster.fleet import Fleet, lanes_of, large_store, night_and_day


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
