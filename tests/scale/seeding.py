"""A Redis that holds the lanes of a large chain, without the pods: written through the scripts that pods use."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import redis.asyncio

from streams.roster.claims import MAX_ITEMS
from streams.roster.keys import prefix
from streams.roster.lives import BEAT, Life
from streams.roster.reading.held import DAY_MS
from streams.roster.script import SCRIPT, Item, Kind, line
from tests.support.redis_server import CHANNEL

DARK_SHARE = 0.03
ENDED_SHARE = 0.01


class Chain(NamedTuple):
    """The lanes of all stores, and the lives of the pods that have them."""

    stores: list[list[str]]
    lives: list[str]

    @property
    def names(self) -> list[str]:
        return [name for store in self.stores for name in store]


def chain_of(stores: int, lanes: int, lives: int) -> Chain:
    """Return so many stores with so many lanes each, on so many pods."""
    names = [[f"STORE{store:05}-LANE{lane:02}" for lane in range(1, lanes + 1)] for store in range(stores)]
    return Chain(names, [f"{number:032x}" for number in range(lives)])


class Seeding:
    """Writes a chain into one Redis, whose claims go by the name of a history."""

    def __init__(self, client: redis.asyncio.Redis, chain: Chain, history: str) -> None:
        self.client: Any = client
        self.chain = chain
        self.prefix = prefix(CHANNEL)
        self._history = history
        self._claim, self._beat = client.register_script(SCRIPT), client.register_script(BEAT)
        # Of each lane the life that has it, and the number of its connection there.
        self.numbers = {name: (life, number) for number, (name, life) in enumerate(self._holders(), 1)}

    def _holders(self) -> Iterator[tuple[str, str]]:
        draw = random.Random(1)
        for name in draw.sample(self.chain.names, len(self.chain.names)):
            yield name, draw.choice(self.chain.lives)

    async def memory(self) -> int:
        """Return the bytes that Redis uses."""
        return int((await self.client.info("memory"))["used_memory"])

    async def redis_seconds(self) -> float:
        """Return for how long Redis has been busy."""
        cpu = await self.client.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    async def beat(self, lives: list[str]) -> None:
        """Let pods say that they are alive."""
        for life in lives:
            await self._beat(args=[self.prefix, life, msgspec.json.encode(Life(f"pod-{life}", "1.0.0", ""))])

    async def claim_all(self) -> None:
        """Let all pods claim what they have."""
        by_life: dict[str, list[Item]] = {life: [] for life in self.chain.lives}
        for name, (life, number) in self.numbers.items():
            by_life[life].append(Item(Kind.CLAIM, name, number, 1.0))
        for life, items in by_life.items():
            await self.say(life, items)

    async def say(self, life: str, items: list[Item]) -> None:
        """Let one pod say something of lanes, in batches as pods do."""
        for place in range(0, len(items), MAX_ITEMS):
            lines = "".join(map(line, items[place : place + MAX_ITEMS]))
            await self._claim(args=[self.prefix, self._history, life, f"pod-{life}", 0, lines])

    async def age(self) -> None:
        """Let all lanes have been there yesterday, so that they are expected."""
        today = (await self.client.time())[0] * 1000 // DAY_MS
        for store in self.chain.stores:
            key = f"{self.prefix}known:{store[0].partition('-')[0]}"
            await self.client.hset(key, mapping=dict.fromkeys(store, f"{today} 3 0"))

    async def end_some(self) -> None:
        """End lanes here and there an hour ago, all of some stores, and the last life a minute after."""
        draw = random.Random(2)
        dark = {name for store in self.chain.stores if draw.random() < DARK_SHARE for name in store}
        ended = [name for name in self.numbers if name in dark or draw.random() < ENDED_SHARE]
        long_ago = int((await self.client.time())[0]) * 1000 - 3_600_000
        for name in ended:
            life, number = self.numbers[name]
            await self.say(life, [Item(Kind.RELEASE, name, number, reason="dead-peer")])
            key = f"{self.prefix}seen:{name.partition('-')[0]}"
            await self.client.hset(key, name, f"{long_ago} dead-peer pod-{life}")
        await self.client.hset(self.prefix + "tally", "began", long_ago)
        await self.beat(self.chain.lives)
        silent, about = self.chain.lives[-1], msgspec.json.encode(Life("pod-silent", "1.0.0", ""))
        await self.client.hset(self.prefix + "pods", silent, b"%d %b" % (long_ago + 3_540_000, about))
