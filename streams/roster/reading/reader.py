"""Reads the roster for whoever asks: any pod, page or command gets the same answer."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import redis.asyncio

from streams.roster.keys import prefix, store_of
from streams.roster.lives import FORGET_SECONDS, Heard, read_lives
from streams.roster.reading.held import EXPECTED_END, read_count, read_hash, read_names
from streams.roster.reading.lanes import Lane, Lanes, LaneState, Store, Stores, StoreState, Totals
from streams.roster.reading.queries import EXPECT, LARGE, READ_TOTALS, RETIRE
from streams.roster.reading.reads import DONE, MAX_STORES, Reads, position_of
from streams.roster.reading.shown import lane_of, store_of_summary
from streams.roster.reading.states import look, look_for, read_summary
from streams.wire.timestamps import iso, now_iso

# How many lanes one page looks at, or what costs as much: some milliseconds of Redis, and of the pod.
MAX_LOOKS = 2_000


class RosterReader:
    """Reads through one client of the running loop; each method raises what redis-py does.

    A cursor is the one that the page before gave, or empty for the first page. What is in a list throughout
    is on exactly one of its pages, whatever comes and goes meanwhile.
    """

    def __init__(self, client: redis.asyncio.Redis, channel: str) -> None:
        self._client = client
        self._prefix = prefix(channel)
        self._reads = Reads(client, self._prefix)

    async def pods(self) -> list[Heard]:
        """Return all lives of the last day, those that are alive first."""
        now, _tally, pods, _totals = await self._reads.run(READ_TOTALS)
        lives = [heard for heard in read_lives(now, pods) if heard.silent_seconds < FORGET_SECONDS]
        return sorted(lives, key=lambda heard: (not heard.alive, heard.says.pod_name, heard.life))

    async def totals(self) -> Totals:
        """Return the sums of all stores, as of when the tally last looked."""
        now, _tally, pods, reply = await self._reads.run(READ_TOTALS)
        counts = {field: read_count(count) or 0 for field, count in read_hash(reply).items()}
        counts["pods"] = sum(heard.alive for heard in read_lives(now, pods))
        return Totals(**{field: counts.get(field, 0) for field in Totals.__struct_fields__})

    async def lane(self, name: str) -> Lane | None:
        """Return one lane as it is now, or None where the name is not known."""
        view, ((store, summary, held),) = await self._reads.stores([store_of(name)])
        if held is None:
            view, lanes = await self._reads.lanes(store, [name])
        else:
            lanes = look_for([name], held, view, summary)
        return lane_of(lanes[0], view) if lanes else None

    async def lanes(
        self,
        *,
        store: str | None = None,
        state: LaneState | None = None,
        q: str = "",
        cursor: str = "",
        limit: int = 100,
    ) -> Lanes:
        """Return a page of lanes; `q` is a part of the name without regard to case.

        One page looks at MAX_LOOKS lanes or so, or through the names of half as many stores. Where few of them
        match it has fewer lanes than `limit`, or none, and a `next_cursor` with which to look on.
        """
        as_of = await self._as_of()
        found: list[Lane] = []
        looks = 0
        async with aclosing(self._reads.steps(position_of(cursor), store, state, q.lower())) as steps:
            async for step in steps:
                found += (lane_of(lane, step.view) for lane in step.lanes[: limit + 1 - len(found)])
                looks += step.looks
                if len(found) > limit:
                    return Lanes(found[:limit], as_of, found[limit - 1].client_name)
                if looks >= MAX_LOOKS:
                    return Lanes(found, as_of, step.cursor)
        return Lanes(found, as_of)

    async def stores(
        self, *, state: StoreState | None = None, q: str = "", cursor: str = "", limit: int = 100
    ) -> Stores:
        """Return a page of stores, as of when the tally last looked; `q` as in lanes()."""
        as_of = await self._as_of()
        index = f"by:{state}" if state else "stores"
        names, summaries = await self._reads.summaries(index, position_of(cursor).lowest, limit + 1, q.lower())
        written = dict(zip(names, summaries, strict=True))
        found = {name: read_summary(written[name.encode()]) for name in read_names(names)}
        page = list(found)[:limit]
        # Those that the tally has not seen yet.
        unseen = [name for name in page if found[name] is None]
        for place in range(0, len(unseen), MAX_STORES):
            view, read = await self._reads.stores(unseen[place : place + MAX_STORES])
            for name, _summary, held in read:
                found[name] = look(held, view).summary if held else None
        # One that has just lost its last lane is none any more.
        shown = [store_of_summary(name, summary) for name in page if (summary := found[name]) and summary.lanes]
        return Stores(shown, as_of, page[-1] + DONE if page and len(names) > limit else None)

    async def store(self, store: str) -> tuple[Store, list[Lane]] | None:
        """Return a store as it is now and its lanes in the order of their names, or None where none is known.

        Of a store with more than 1,000 lanes it is the first 1,000, which lanes() goes on from, and the
        sum is as of when the tally last looked.
        """
        view, ((_store, summary, held),) = await self._reads.stores([store])
        if held is None:
            page = await self.lanes(store=store, limit=LARGE)
            return (store_of_summary(store, summary), page.clients) if summary else None
        now = look(held, view, summary)
        shown = [lane_of(lane, view) for lane in sorted(now.lanes)]
        return (store_of_summary(store, now.summary), shown) if shown else None

    async def expect(self, store: str, names: list[str]) -> None:
        """Say which lanes a store has: these are expected, others of it are not.

        With no names nothing is said any more, and lanes are learned again. Raises ValueError for a lane of
        another store.
        """
        if strangers := [name for name in names if store_of(name) != store]:
            raise ValueError(f"{strangers[0]} is no lane of the store {store!r}")
        known = self._client.hscan_iter(f"{self._prefix}known:{store}", count=LARGE)
        expected_end = EXPECTED_END.encode()
        said = {name.decode(errors="replace") async for name, value in known if value.endswith(expected_end)}
        await self._reads.run(EXPECT, store, len(names), *names, *said.difference(names))

    async def retire(self, name: str) -> bool:
        """Forget that a lane was ever there; say whether it was known. One that connects again is known again."""
        return bool(await self._reads.run(RETIRE, store_of(name), name))

    async def _as_of(self) -> str:
        written: Any = await self._client.hget(self._prefix + "tally", "at")
        at = read_count(written)
        return iso(at / 1000) if at else now_iso()
