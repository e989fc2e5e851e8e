"""Reads stores and lanes from Redis, one step after another, in the order of their names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple

import redis.asyncio

from streams.roster.keys import store_of
from streams.roster.reading.held import Held, read_fields, read_held, read_names, read_tallied
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.queries import (
    EXPECT,
    FIND_STORES,
    READ_LANES,
    READ_STORES,
    READ_SUMMARIES,
    READ_TOTALS,
    RETIRE,
)
from streams.roster.reading.states import (
    LaneNow,
    Summary,
    View,
    connected,
    look_apart,
    look_for,
    read_summary,
    view_of,
)

SCRIPTS = (EXPECT, FIND_STORES, READ_LANES, READ_STORES, READ_SUMMARIES, READ_TOTALS, RETIRE)
# In one step, which nothing else in Redis comes between.
MAX_STORES = 32
MAX_SEARCHED = 250
MAX_LANES = 250
# Of stores, which are only compared.
MAX_NAMES = 2_000
# A look at a lane costs as much as one at so many names; to look through a store's names costs two.
NAMES = 8
SEARCH = 2
# In a cursor, behind a store that is done with; no name has it.
DONE = "/"


class Position(NamedTuple):
    """Where a page begins: after a lane of a store, or after all of them, or at the beginning of everything."""

    store: str = ""
    name: str = ""
    started: bool = False

    @property
    def lowest(self) -> str:
        """Return the first store as ZRANGEBYLEX takes it."""
        return "-" if not self.started else ("[" if self.name else "(") + self.store


def position_of(cursor: str) -> Position:
    """Read a cursor, which is the name of a lane, or a store and DONE."""
    if cursor.endswith(DONE):
        return Position(cursor[:-1], started=True)
    return Position(store_of(cursor), cursor, started=True) if cursor else Position()


class Step(NamedTuple):
    """Lanes in their order, the cursor behind all that was looked at for them, and how much that was."""

    lanes: list[LaneNow]
    view: View
    cursor: str
    looks: int


class StoreRead(NamedTuple):
    """What stands in Redis of one store: its sum, if it has one, and what is held, None of a large one."""

    store: str
    summary: Summary | None
    held: Held | None


def read_stores(stores: Sequence[str], reply: list[Any]) -> tuple[View, list[StoreRead], list[bytes]]:
    """Read what READ_STORES answers: how stores are looked at, each of them, and the foreign keys in the way."""
    now, tally, pods, found, foreign = reply
    read = [
        StoreRead(store, read_summary(summary), read_held(hashes) if hashes else None)
        for store, (summary, *hashes) in zip(stores, found, strict=True)
    ]
    return view_of(now, read_tallied(tally), pods), read, foreign


# Of a step that found nothing.
NOWHERE = View(0, 0, None, {})


class Reads:
    """Reads through one client; each method raises what redis-py does."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._scripts = {text: client.register_script(text) for text in SCRIPTS}

    async def run(self, script: str, *arguments: str | int) -> Any:
        """Run one of SCRIPTS."""
        return await self._scripts[script](args=[self._prefix, *arguments])

    async def stores(self, stores: Sequence[str]) -> tuple[View, list[StoreRead]]:
        """Read stores, and how they are looked at."""
        view, found, _foreign = read_stores(stores, await self.run(READ_STORES, *stores))
        return view, found

    async def lanes(self, store: str, names: list[str]) -> tuple[View, list[LaneNow]]:
        """Look at lanes of one store, which is as the tally found it last."""
        now, tally, pods, (written, *hashes) = await self.run(READ_LANES, store, *names)
        view = view_of(now, read_tallied(tally), pods)
        held = Held(*(read_fields(names, reply) for reply in hashes))
        return view, look_apart(names, held, view, read_summary(written))

    async def summaries(self, index: str, lowest: str, count: int, q: str) -> tuple[list[bytes], list[bytes | None]]:
        """Read the first stores of an index, from the lowest on, with `q` in their names, and their sums."""
        if not q:
            names, written = await self.run(READ_SUMMARIES, index, lowest, count)
            return names, written
        found: list[str] = []
        while len(found) < count and (stores := await self._range(self._prefix + index, lowest, MAX_NAMES)):
            found += [store for store in stores if q in store.lower()]
            lowest = f"({stores[-1]}"
        del found[count:]
        # redis-py types each reply for all settings at once.
        sums: Any = await self._client.hmget(self._prefix + "summary", found) if found else []
        return [store.encode() for store in found], sums

    async def steps(
        self, position: Position, store: str | None, state: LaneState | None, q: str
    ) -> AsyncGenerator[Step]:
        """Go through lanes in their order: of one store or of all, in one state or in any, with `q` in their names."""
        index = self._prefix + (f"with:{state}" if state else "stores")
        while stores := await self._next(index, position, store):
            matching = await self._search(stores, q)
            for place in range(0, len(matching), MAX_STORES):
                async for step in self._look(matching[place : place + MAX_STORES], position, state, q):
                    yield step._replace(lanes=[lane for lane in step.lanes if state in (None, lane.state)])
            position = Position(stores[-1], started=True)
            yield Step([], NOWHERE, stores[-1] + DONE, SEARCH * (len(stores) - len(matching)))

    async def _next(self, index: str, position: Position, store: str | None) -> list[str]:
        if store is None:
            return await self._range(index, position.lowest, MAX_SEARCHED)
        # One that is done with, or another one's cursor, has no more.
        return [store] if not position.started or (position.name and position.store == store) else []

    async def _search(self, stores: list[str], q: str) -> list[str]:
        return read_names(await self.run(FIND_STORES, q, *stores)) if q else stores

    async def _look(
        self, stores: list[str], position: Position, state: LaneState | None, q: str
    ) -> AsyncGenerator[Step]:
        view, found = await self.stores(stores)
        for store, summary, held in found:
            after = position.name if store == position.store else ""
            if held is None:
                async for step in self._look_at_large(store, view, after, q):
                    yield step
            else:
                names = sorted(held.known.keys() | held.here.keys())
                matching = [name for name in names if name > after and q in name.lower()]
                if state is not None:
                    # Most lanes are connected, and most pages of one state are of others.
                    here = set(connected(held, view))
                    matching = [name for name in matching if (name in here) is (state is LaneState.CONNECTED)]
                # A name is looked at for less than a lane.
                yield Step(
                    look_for(matching, held, view, summary), view, store + DONE, len(matching) + len(names) // NAMES
                )

    async def _look_at_large(self, store: str, view: View, after: str, q: str) -> AsyncGenerator[Step]:
        key, lowest = f"{self._prefix}large:{store}", f"({after}" if after else "-"
        while names := await self._range(key, lowest, MAX_LANES):
            matching = [name for name in names if q in name.lower()]
            lanes: list[LaneNow] = []
            if matching:
                view, lanes = await self.lanes(store, matching)
            yield Step(lanes, view, names[-1], len(matching) + len(names) // NAMES)
            lowest = f"({names[-1]}"
        yield Step([], view, store + DONE, 1)

    async def _range(self, key: str, lowest: str, count: int) -> list[str]:
        found: list[Any] = await self._client.zrangebylex(key, lowest, "+", 0, count)
        return read_names(found)
