"""What the script notes of a lane's days."""

from __future__ import annotations

import pytest

from streams.roster.reading.held import DAY_MS
from streams.roster.script import DAYS, Item, Kind
from tests.streams.roster.fleet import DAY, Fleet

NAME = "STORE001-LANE01"


async def days(fleet: Fleet) -> str:
    """Return the days of the lane, the oldest first, and whether it was said, learned or retired."""
    today = await fleet.now_ms() // DAY_MS
    day, mask, said = (await fleet.client.hget(fleet.hash("known", NAME), NAME)).decode().split()
    assert int(day) == today
    return f"{int(mask):0{DAYS}b} {said}"


async def test_script_notes_today(fleet: Fleet):
    await fleet.connect("one", NAME)
    assert await days(fleet) == "00000000000001 0"
    await fleet.connect("one", NAME)
    assert await days(fleet) == "00000000000001 0"
    assert await fleet.client.zrange(fleet.prefix + "stores", 0, -1) == [b"STORE001"]


@pytest.mark.parametrize(
    ("ago", "noted"),
    [
        ([1], "00000000000011 0"),
        ([2, 3, 5], "00000000101101 0"),
        ([13], "10000000000001 0"),
        ([14], "00000000000001 0"),
        ([12, 13, 14, 15], "11000000000001 0"),
        ([32], "00000000000001 0"),
        ([64, 65], "00000000000001 0"),
        ([400], "00000000000001 0"),
        (list(range(1, 14)), "11111111111111 0"),
    ],
)
async def test_script_moves_the_days_before(fleet: Fleet, ago: list[int], noted: str):
    """Of a connect after some days those of the last fourteen are left."""
    await fleet.know(NAME, *ago)
    await fleet.connect("one", NAME)
    assert await days(fleet) == noted


@pytest.mark.parametrize(
    ("seconds", "noted"),
    [(DAY, 0b11), (3 * DAY, 0b1111), (12.5 * DAY, None), (13 * DAY, 2**14 - 1), (99 * DAY, 2**14 - 1)],
)
async def test_script_notes_the_days_of_a_connection(fleet: Fleet, seconds: float, noted: int | None):
    """One that is claimed anew was there all the time, and so was one that ends."""
    await fleet.connect("one", NAME, ago=seconds)
    if noted is not None:
        assert await days(fleet) == f"{noted:0{DAYS}b} 0"
    before = await days(fleet)
    await fleet.client.hset(fleet.hash("known", NAME), NAME, f"{await fleet.now_ms() // DAY_MS - 99} 1 0")
    await fleet.end("one", NAME)
    assert await days(fleet) == before


async def test_script_notes_the_days_of_a_connection_that_is_replaced(fleet: Fleet):
    """The pod that had it finds its entry gone, and says nothing of it."""
    await fleet.connect("one", NAME, ago=2 * DAY)
    await fleet.client.hdel(fleet.hash("known", NAME), NAME)
    await fleet.connect("two", NAME)
    assert await days(fleet) == "00000000000111 0"


async def test_script_keeps_what_was_said(fleet: Fleet):
    await fleet.reader.expect("STORE001", [NAME])
    await fleet.connect("one", NAME)
    assert await days(fleet) == "00000000000001 1"


async def test_script_learns_what_was_retired_anew(fleet: Fleet):
    """The days before do not count."""
    await fleet.know(NAME, 0, 1, 2)
    today = await fleet.now_ms() // DAY_MS
    await fleet.client.hset(fleet.hash("known", NAME), NAME, f"{today} 7 2")
    await fleet.connect("one", NAME)
    assert await days(fleet) == "00000000000001 0"


async def test_script_knows_a_lane_whose_end_is_all_that_it_hears(fleet: Fleet):
    """Its claim was lost with Redis' data."""
    await fleet.say("one", [Item(Kind.RELEASE, NAME, 7, reason="client-closed")])
    assert await days(fleet) == "00000000000001 0"
    assert (await fleet.client.hget(fleet.hash("seen", NAME), NAME)).endswith(b" client-closed pod-of-one")


async def test_script_of_a_clock_that_was_set_back(fleet: Fleet):
    """The newest day stays the newest."""
    today = await fleet.now_ms() // DAY_MS
    await fleet.client.hset(fleet.hash("known", NAME), NAME, f"{today + 3} 5 0")
    await fleet.connect("one", NAME)
    assert await fleet.client.hget(fleet.hash("known", NAME), NAME) == b"%d 5 0" % (today + 3)


async def test_script_marks_a_store_for_the_tally(fleet: Fleet):
    """When a claim or an end changed it, and for when the life ends."""
    await fleet.connect("one", NAME, "STORE001-LANE02", "alone")
    assert await fleet.client.smembers(fleet.prefix + "dirty") == {b"STORE001", b""}
    assert await fleet.client.smembers(fleet.prefix + "of:one") == {b"STORE001", b""}
    assert await fleet.client.ttl(fleet.prefix + "of:one") > DAY
    await fleet.client.delete(fleet.prefix + "dirty")
    await fleet.say("one", [Item(Kind.CLAIM, NAME, fleet.number("one", NAME), 0.0)])
    assert not await fleet.client.exists(fleet.prefix + "dirty")
    await fleet.end("one", NAME)
    assert await fleet.client.smembers(fleet.prefix + "dirty") == {b"STORE001"}


async def test_script_does_not_bring_a_retired_lane_back_by_its_end(fleet: Fleet):
    """It was retired while it was connected, since a day before; only a new connection makes it known again."""
    await fleet.beat("one")
    await fleet.connect("one", NAME, ago=3 * DAY)
    await fleet.round()
    assert await fleet.reader.retire(NAME)
    await fleet.end("one", NAME)
    assert await fleet.reader.lane(NAME) is None
    await fleet.round()
    assert await fleet.reader.lane(NAME) is None
    await fleet.connect("one", NAME)
    assert await days(fleet) == "00000000000001 0"
