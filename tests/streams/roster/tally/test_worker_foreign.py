"""Keys of the roster under which somebody else has written: they count as empty, and all else goes on."""

from __future__ import annotations

import pytest

from streams.roster.lives import FORGET_SECONDS
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.queries import LARGE
from tests.streams.roster.fleet import Fleet, lanes_of, large_store


def foreign_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "somebody else has written" in record.getMessage()]


@pytest.mark.parametrize(("kind", "connected"), [("here", 3), ("seen", 5), ("known", 5)])
async def test_round_with_a_foreign_key(fleet: Fleet, caplog: pytest.LogCaptureFixture, kind: str, connected: int):
    """The other stores are summed up and found, and one line names the key."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1, 2, 3], 2))
    key = fleet.hash(kind, "STORE00002-LANE01")
    await fleet.client.set(key, "foreign")
    await fleet.end("one", "STORE00003-LANE02")
    await fleet.round()
    assert (await fleet.totals())["connected"] == connected
    (line,) = foreign_lines(caplog)
    assert key in line
    others = {*lanes_of([1], 2), *lanes_of([3], 2)}
    assert {lane.client_name for lane in (await fleet.reader.lanes()).clients} >= others
    assert len((await fleet.reader.lanes(q="lane02")).clients) >= 2
    offline = (await fleet.reader.lanes(state=LaneState.OFFLINE)).clients
    assert offline[-1].client_name == "STORE00003-LANE02"
    await fleet.client.delete(key)
    await fleet.mark()
    await fleet.round()
    assert (await fleet.totals())["offline"] >= 1


async def test_round_with_foreign_keys_only(fleet: Fleet):
    """A store that is nothing else is none, and what is under its keys stays."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 2))
    for kind in ("here", "seen", "known"):
        await fleet.client.set(fleet.hash(kind, "STORE00009-LANE01"), "foreign")
    await fleet.client.zadd(fleet.prefix + "stores", {"STORE00009": 0})
    await fleet.mark()
    await fleet.round()
    assert await fleet.totals() == {"stores": 1, "lanes": 2, "connected": 2, "pods": 1}
    assert [store.store for store in (await fleet.reader.stores()).stores] == ["STORE00001"]
    assert await fleet.reader.store("STORE00009") is None
    assert await fleet.client.get(fleet.hash("known", "STORE00009-LANE01")) == b"foreign"


async def test_round_does_not_bury_beside_a_foreign_key(fleet: Fleet):
    """What is to go waits until that is gone; the others of the round do not."""
    await fleet.beat("one", "two")
    await fleet.connect("one", *lanes_of([1, 2], 1))
    await fleet.began()
    await fleet.client.set(fleet.hash("seen", "STORE00001-LANE01"), "foreign")
    await fleet.beat("one", ago=FORGET_SECONDS + 1)
    await fleet.mark()
    await fleet.round()
    assert await fleet.client.hlen(fleet.hash("here", "STORE00001-LANE01")) == 1
    assert await fleet.client.hlen(fleet.hash("here", "STORE00002-LANE01")) == 0


async def test_round_with_foreign_keys_of_lives_and_of_a_large_store(fleet: Fleet, caplog: pytest.LogCaptureFixture):
    names = await large_store(fleet)
    for key in (fleet.prefix + "large:", fleet.hash("seen", names[0]), fleet.prefix + "of:two"):
        await fleet.client.delete(key)
        await fleet.client.set(key, "foreign")
    await fleet.beat("two")
    await fleet.mark()
    await fleet.round()
    assert (await fleet.totals())["connected"] == LARGE + 300
    assert foreign_lines(caplog)
    lane = await fleet.reader.lane(names[0])
    assert lane is not None
    assert lane.state is LaneState.CONNECTED


async def test_round_with_what_is_no_text_and_no_number(fleet: Fleet):
    """It reads as other names, and as nothing."""
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 2))
    await fleet.round()
    await fleet.client.hset(fleet.prefix + "tally", mapping={"began": "x", "at": "y", "missing_ms": ""})
    await fleet.client.hset(fleet.prefix + "totals", "offline", "many")
    assert (await fleet.totals())["connected"] == 2
    await fleet.client.hset(fleet.hash("known", "STORE00001-LANE01"), b"STORE00001-\xff", b"\xfe")
    await fleet.client.zadd(fleet.prefix + "stores", {b"\xff": 0})
    await fleet.mark()
    assert [lane.client_name for lane in (await fleet.reader.lanes()).clients] == lanes_of([1], 2)
    await fleet.round()
    assert (await fleet.totals())["connected"] == 2
