"""Reads the roster for whoever asks: any pod, page or command gets the same answer."""

from __future__ import annotations

import redis.asyncio

from streams.roster.keys import prefix
from streams.roster.lanes import Lane, Lanes, LaneState, Store, Stores, StoreState, Totals
from streams.roster.lives import Heard


class RosterReader:
    """Reads through one client of the running loop; each method raises what redis-py does."""

    def __init__(self, client: redis.asyncio.Redis, channel: str) -> None:
        self._client = client
        self._prefix = prefix(channel)

    async def pods(self) -> list[Heard]:
        """Return all lives of the last day, those that are alive first."""
        raise NotImplementedError

    async def totals(self) -> Totals:
        raise NotImplementedError

    async def lane(self, name: str) -> Lane | None:
        """Return one lane, or None where the name was never seen."""
        raise NotImplementedError

    async def lanes(
        self,
        *,
        store: str | None = None,
        state: LaneState | None = None,
        q: str = "",
        cursor: str = "",
        limit: int = 100,
    ) -> Lanes:
        """Return a page of lanes; `q` is a part of the name without regard to case."""
        raise NotImplementedError

    async def stores(self, *, state: StoreState | None = None, cursor: str = "", limit: int = 100) -> Stores:
        raise NotImplementedError

    async def store(self, store: str) -> tuple[Store, list[Lane]] | None:
        """Return a store and its lanes in the order of their names, or None where none was ever seen."""
        raise NotImplementedError

    async def expect(self, store: str, names: list[str]) -> None:
        """Say which lanes a store has: these are expected, others of it are not."""
        raise NotImplementedError

    async def retire(self, name: str) -> bool:
        """Forget that a lane was ever there; say whether it was known. One that connects again is known again."""
        raise NotImplementedError
