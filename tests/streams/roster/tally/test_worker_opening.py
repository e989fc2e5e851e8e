"""A store in the morning, which is dark, and opens lane by lane."""

from __future__ import annotations

from streams.roster.reading.lanes import Lane, LaneState, StoreState
from streams.roster.reading.queries import LARGE
from tests.streams.roster.fleet import HOUR, MINUTE, MISSING_SECONDS, Fleet, lanes_of

STORE = "STORE00001"
FIRST, SECOND, THIRD = lanes_of([1], 3)


async def night(fleet: Fleet, *lanes: str) -> None:
    await fleet.beat("one")
    await fleet.expect(*lanes)
    await fleet.connect("one", *lanes)
    await fleet.began()
    await fleet.end("one", *lanes, ago=HOUR)
    await fleet.round()


async def lane(fleet: Fleet, name: str) -> Lane:
    found = await fleet.reader.lane(name)
    assert found is not None
    return found


async def state_of(fleet: Fleet, store: str = STORE) -> StoreState:
    found = await fleet.reader.store(store)
    assert found is not None
    return found[0].state


async def test_round_of_a_store_that_opens(fleet: Fleet):
    """Its first lane is no reason to miss the others, before the tally looks and after it has."""
    await night(fleet, FIRST, SECOND, THIRD)
    assert await state_of(fleet) is StoreState.DARK
    await fleet.connect("one", FIRST)
    for _ in ("before", "after", "later"):
        assert await state_of(fleet) is StoreState.COMPLETE
        assert (await lane(fleet, SECOND)).state is LaneState.OFFLINE
        assert [each.state for each in (await fleet.reader.lanes(state=LaneState.MISSING)).clients] == []
        await fleet.mark()
        await fleet.round()
    assert (await fleet.totals()).get("missing") is None
    later = await fleet.client.zscore(fleet.prefix + "later", STORE)
    assert 0 < later - await fleet.now_ms() <= 1000 * MISSING_SECONDS


async def test_round_of_a_store_that_has_opened(fleet: Fleet):
    """Who has not come within that time is missing, since it went; a lane that comes back is no new morning."""
    await night(fleet, FIRST, SECOND, THIRD)
    await fleet.connect("one", FIRST, ago=3 * MINUTE)
    await fleet.round()
    missing = await lane(fleet, SECOND)
    assert (missing.state, missing.missing_since) == (LaneState.MISSING, missing.last_seen_at)
    assert (await fleet.totals())["missing"] == 2
    await fleet.end("one", FIRST)
    await fleet.round()
    assert await state_of(fleet) is StoreState.DARK
    await fleet.connect("one", FIRST)
    await fleet.round()
    assert (await fleet.totals())["missing"] == 2
    assert await state_of(fleet) is StoreState.PARTIAL


async def test_round_of_a_large_store_that_opens(fleet: Fleet):
    """As the tally found it."""
    names = [f"lane{number:05}" for number in range(LARGE + 1)]
    await night(fleet, *names)
    assert await state_of(fleet, "") is StoreState.DARK
    await fleet.connect("one", names[0])
    await fleet.mark()
    await fleet.round()
    assert await state_of(fleet, "") is StoreState.COMPLETE
    assert (await lane(fleet, names[1])).state is LaneState.OFFLINE
