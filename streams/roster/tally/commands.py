"""What the tally asks of Redis and tells it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import redis
import redis.asyncio

from streams.roster.reading.held import Held, Tallied, read_tallied
from streams.roster.reading.queries import READ_CLAIMS, READ_STORES
from streams.roster.reading.reads import StoreRead, read_stores
from streams.roster.reading.states import Gone, View, view_of
from streams.roster.tally import scripts
from streams.roster.tally.unclaimed import Claim

MAX_MARKED = 1_000
MAX_READ = 500
# Pods that take turns come to agree within this.
ANSWERED_MS = 60_000


class Commands:
    """The tally's way to Redis, of one life, through one client; each method raises what redis-py does."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, life: str, *, lock_seconds: float) -> None:
        self._client, self._prefix, self._life = client, prefix, life
        self._lock_ms = round(1000 * lock_seconds)
        # Keys of the roster under which somebody else has written; they count as empty.
        self.foreign: set[str] = set()
        self._scripts = {
            text: client.register_script(text)
            for text in (
                scripts.LEAD,
                scripts.RESIGN,
                scripts.NOTE,
                scripts.FORGET_ALL,
                scripts.TAKE,
                scripts.WRITE,
                scripts.CLEAN,
                scripts.ANSWER_FOR,
                READ_CLAIMS,
                READ_STORES,
            )
        }

    async def _run(self, script: str, *arguments: Any) -> Any:
        return await self._scripts[script](args=[self._prefix, self._life, *arguments])

    async def lead(self) -> tuple[View, Tallied] | None:
        """Take the lock, or keep it; return None where another has it."""
        reply = await self._run(scripts.LEAD, self._lock_ms)
        if not reply:
            return None
        now, tally, pods = reply
        tallied = read_tallied(tally)
        return view_of(now, tallied, pods), tallied

    async def resign(self) -> None:
        """Let another take the lock."""
        await self._run(scripts.RESIGN)

    async def note(self, tallied: Tallied) -> None:
        """Write down what the tally holds of itself."""
        fields = tallied._asdict() | {"alive": " ".join(sorted(tallied.alive))}
        held = ((name, value) for name, value in fields.items() if value is not None)
        await self._run(scripts.NOTE, *chain.from_iterable(held))

    async def forget_all(self) -> None:
        """Begin with nothing."""
        await self._run(scripts.FORGET_ALL)

    async def mark_all(self) -> None:
        """Have all stores looked at."""
        stores: list[Any] = await self._client.zrangebylex(self._prefix + "stores", "-", "+", 0, MAX_MARKED)
        while stores:
            await self._client.sadd(self._prefix + "dirty", *stores)
            after = b"(" + stores[-1]
            stores = await self._client.zrangebylex(self._prefix + "stores", after, "+", 0, MAX_MARKED)

    async def mark_life(self, life: str) -> None:
        """Have all stores looked at in which a life has claimed."""
        marked: set[bytes] = set()
        with self._skipping(key := f"{self._prefix}of:{life}"):
            async for store in self._client.sscan_iter(key, count=MAX_MARKED):
                marked.add(store)
                if len(marked) == MAX_MARKED:
                    await self._client.sadd(self._prefix + "dirty", *marked)
                    marked.clear()
        if marked:
            await self._client.sadd(self._prefix + "dirty", *marked)

    async def forget_lives(self, lives: list[str]) -> None:
        await self._client.hdel(self._prefix + "pods", *lives)

    async def take(self, count: int) -> list[str]:
        """Take stores that are to be looked at; write() says that they were."""
        return [store.decode(errors="replace") for store in await self._run(scripts.TAKE, self._lock_ms, count)]

    async def read_stores(self, stores: list[str]) -> tuple[View, list[StoreRead]]:
        """Read stores, and how they are looked at."""
        view, found, foreign = read_stores(stores, await self._scripts[READ_STORES](args=[self._prefix, *stores]))
        self._note_foreign(foreign)
        return view, found

    def _note_foreign(self, keys: list[bytes]) -> None:
        self.foreign.update(key.decode(errors="replace") for key in keys)

    async def read_large(self, store: str, history: str) -> Held:
        """Read a large store in parts, and put its lanes into their index."""
        keys = (f"here:{history}:", "seen:", "known:")
        held = Held(*[await self._read_hash(self._prefix + key + store) for key in keys])
        names = sorted(held.known)
        with self._skipping(key := f"{self._prefix}large:{store}"):
            for place in range(0, len(names), MAX_MARKED):
                await self._client.zadd(key, dict.fromkeys(names[place : place + MAX_MARKED], 0))
        return held

    async def _read_hash(self, key: str) -> dict[str, str]:
        found: dict[str, str] = {}
        with self._skipping(key):
            async for name, value in self._client.hscan_iter(key, count=MAX_READ):
                found[name.decode(errors="replace")] = value.decode(errors="replace")
        return found

    @contextlib.contextmanager
    def _skipping(self, key: str) -> Iterator[None]:
        try:
            yield
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self.foreign.add(key)

    async def write(self, differences: list[int], rows: list[str | bytes | int]) -> None:
        """Write what was found in stores; does nothing where another pod has the lock."""
        await self._run(scripts.WRITE, *differences, *rows)

    async def clean(self, store: str, gone: list[Gone]) -> None:
        """Bury and forget what is gone, unless it has changed since it was read."""
        for place in range(0, len(gone), MAX_MARKED):
            await self._run(scripts.CLEAN, store, *(word for each in gone[place : place + MAX_MARKED] for word in each))

    async def read_claims(self, names: list[str]) -> tuple[View, Tallied, dict[str, Claim]]:
        """Read who has each of some clients."""
        now, tally, pods, found, foreign = await self._scripts[READ_CLAIMS](args=[self._prefix, *names])
        self._note_foreign(foreign)
        tallied = read_tallied(tally)
        claims = {name: Claim(*map(_text, claim)) for name, claim in zip(names, found, strict=True)}
        return view_of(now, tallied, pods), tallied, claims

    async def answer_for(self, since: int, until: int) -> bool:
        """Say whether this pod, and no other, answers for what came between two moments by Redis' clock, in ms."""
        return bool(await self._run(scripts.ANSWER_FOR, since, until, ANSWERED_MS))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
