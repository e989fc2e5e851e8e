"""A seed draws the faults, each kind has its turn, and nothing stays broken."""

from __future__ import annotations

import asyncio
import random
from typing import ClassVar

from tests.chaos.faults import Fault, FaultLog, Kinds, PodFaults, RedisFaults, Timeline, overlapping, rest


class Noted(Timeline):
    """Breaks nothing, and ends after some faults."""

    END: ClassVar[int] = 9

    async def _break(self) -> None:
        if len(self._log.faults) == self.END:
            self.over.set()
        assert [fault.ended for fault in self._log.open] == [None]
        await self.rest(60 if self.over.is_set() else 0)

    kinds: ClassVar[Kinds] = {"one": _break, "two": _break, "three": _break}


async def kinds_drawn(seed: int, *only: str) -> list[str]:
    log = FaultLog()
    await Noted("target", (0, 0.001), random.Random(seed), log).run(asyncio.Event(), frozenset(only))
    assert log.open == [], "what was broken at the end is mended"
    assert {fault.target for fault in log.faults} <= {"target"}
    return [fault.kind for fault in log.faults]


async def test_timeline_draws_by_its_seed():
    assert await kinds_drawn(1) == await kinds_drawn(1)
    assert len({tuple(await kinds_drawn(seed)) for seed in range(5)}) > 1


async def test_timeline_gives_each_kind_its_turn():
    drawn = await kinds_drawn(1)
    assert [sorted(drawn[at : at + 3]) for at in (0, 3, 6)] == [["one", "three", "two"]] * 3


async def test_timeline_draws_only_what_it_is_told():
    assert set(await kinds_drawn(1, "two", "of-another-target")) == {"two"}


async def test_timeline_without_a_kind_ends_at_once():
    assert await kinds_drawn(1, "of-another-target") == []


async def test_rest_ends_early_when_it_is_over():
    over = asyncio.Event()
    assert not await rest(over, 0.001)
    over.set()
    async with asyncio.timeout(5):
        assert await rest(over, 60)


def test_kinds_of_pods_and_of_redis_have_different_names():
    assert not set(PodFaults.kinds) & set(RedisFaults.kinds)


def test_overlapping_takes_what_is_at_work_between_two_times():
    early, late, still = Fault("a", "x", 1, 2), Fault("b", "x", 5, 6), Fault("c", "x", 3)
    assert overlapping([early, late, still], 2, 4) == [early, still]
    assert overlapping([early, late, still], 6, 7) == [late, still]
