"""Faults of pods, of their links and of Redis, drawn at random and undone again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.chaos.cluster import Cluster, Seat
from tests.chaos.lanes import Lane
from tests.chaos.proxy import Kind
from tests.chaos.publishing import JOURNAL
from tests.support.http import HOST
from tests.support.redis_server import RedisServer

REDIS = "redis"
# Quiet between two faults of one target: what is always broken only ever shows that it is.
POD_PAUSE_SECONDS = (3.0, 12.0)
REDIS_PAUSE_SECONDS = (8.0, 20.0)
LANE_PAUSE_SECONDS = (0.2, 0.6)
# Between two streams of a lane: a few events are for its replay.
AWAY_SECONDS = (0.0, 0.2)
LONG_AWAY_SHARE = 0.25
LONG_AWAY_SECONDS = (0.0, 3.0)

# By name, what breaks something of a timeline and mends it again.
Kinds = Mapping[str, Callable[[Any], Awaitable[None]]]


@dataclass(slots=True)
class Fault:
    """What was broken, and from when to when in Unix time."""

    kind: str
    target: str
    began: float
    ended: float | None = None


@dataclass(slots=True)
class FaultLog:
    """All faults of a run, in the order in which they began."""

    faults: list[Fault] = field(default_factory=list)

    @contextlib.contextmanager
    def happening(self, kind: str, target: str) -> Iterator[None]:
        """Note a fault for as long as the context lasts."""
        fault = Fault(kind, target, time.time())
        self.faults.append(fault)
        try:
            yield
        finally:
            fault.ended = time.time()

    @property
    def open(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.ended is None]


async def rest(over: asyncio.Event, seconds: float) -> bool:
    """Wait for so long, or until it is over; return whether it is."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()
    return over.is_set()


class Timeline:
    """Faults of one target, one after the other with pauses; what they are depends on the seed alone."""

    kinds: ClassVar[Kinds]

    def __init__(self, target: str, pause_seconds: tuple[float, float], draw: random.Random, log: FaultLog) -> None:
        self.target = target
        self.draw = draw
        self.over = asyncio.Event()
        self._pause_seconds = pause_seconds
        self._log = log

    async def run(self, over: asyncio.Event, only: Set[str]) -> None:
        """Break things until it is over; what is broken then is mended before this returns."""
        self.over = over
        kinds = {kind: fault for kind, fault in self.kinds.items() if not only or kind in only}
        deck: list[str] = []
        while kinds and not await rest(over, self.draw.uniform(*self._pause_seconds)):
            # Each kind has its turn before one comes again.
            deck = deck or self.draw.sample(list(kinds), len(kinds))
            kind = deck.pop()
            with self._log.happening(kind, self.target):
                await kinds[kind](self)

    async def rest(self, seconds: float) -> None:
        """Leave it broken for so long, or until the end."""
        await rest(self.over, seconds)


class PodFaults(Timeline):
    """What happens to one pod and to its link."""

    def __init__(self, seat: Seat, draw: random.Random, log: FaultLog) -> None:
        super().__init__(seat.name, POD_PAUSE_SECONDS, draw, log)
        self._seat = seat

    async def _kill(self) -> None:
        down_seconds = self.draw.uniform(0, 2)
        await asyncio.to_thread(self._seat.kill)
        await self.rest(down_seconds)
        self._seat.start()
        await asyncio.to_thread(self._seat.pod.wait_live)

    async def _freeze(self) -> None:
        with self._seat.pod.standing_still():
            await self.rest(self.draw.uniform(1, 6))

    async def _cut_link(self) -> None:
        self._seat.link.refuse()
        await self.rest(self.draw.uniform(0.2, 4))
        self._seat.link.restore()

    async def _half_open(self, *kinds: Kind) -> None:
        self._seat.link.swallow(*kinds)
        await self.rest(self.draw.uniform(1, 12))
        self._seat.link.restore()

    async def _flap(self) -> None:
        for _ in range(self.draw.randint(5, 15)):
            self._seat.link.reset(*Kind)
            await self.rest(self.draw.uniform(0.01, 0.1))

    kinds: ClassVar[Kinds] = {
        "kill": _kill,
        "freeze": _freeze,
        "cut-link": _cut_link,
        "half-open-journal": lambda self: self._half_open(Kind.JOURNAL),
        "half-open-subscription": lambda self: self._half_open(Kind.SUBSCRIPTION),
        "half-open-link": lambda self: self._half_open(*Kind),
        "flap": _flap,
    }


class RedisFaults(Timeline):
    """What happens to Redis, and with it to all pods."""

    def __init__(self, cluster: Cluster, draw: random.Random, log: FaultLog) -> None:
        super().__init__(REDIS, REDIS_PAUSE_SECONDS, draw, log)
        self._cluster = cluster

    @property
    def _server(self) -> RedisServer:
        return self._cluster.redis

    async def _fail_over(self) -> None:
        """Move publishers to a replica that was promoted, and leave the pods with the old primary for a while."""
        old = self._server
        await asyncio.to_thread(self._cluster.standby.start)
        try:
            await asyncio.to_thread(self._cluster.fail_over)
            await self.rest(self.draw.uniform(0, 3))
            await asyncio.to_thread(old.client.replicaof, HOST, str(self._server.port))
            await self.rest(self.draw.uniform(0, 6))
        finally:
            await asyncio.to_thread(self._cluster.standby.kill)
            self._cluster.standby.forget()

    async def _freeze(self) -> None:
        self._server.freeze()
        try:
            await self.rest(self.draw.uniform(0.5, 6))
        finally:
            self._server.thaw()

    async def _restart(self, *, forget: bool = False) -> None:
        down_seconds = self.draw.uniform(0, 3)
        await asyncio.to_thread(self._server.kill)
        if forget:
            self._server.forget()
        await self.rest(down_seconds)
        await asyncio.to_thread(self._server.start)

    async def _command(self, *words: str) -> None:
        await asyncio.to_thread(self._server.client.execute_command, *words)

    kinds: ClassVar[Kinds] = {
        "redis-failover": _fail_over,
        "redis-freeze": _freeze,
        "redis-restart": _restart,
        "redis-restart-empty": lambda self: self._restart(forget=True),
        "kill-pubsub": lambda self: self._command("CLIENT", "KILL", "TYPE", "pubsub"),
        "kill-normal": lambda self: self._command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
        "trim-journal": lambda self: self._command("XTRIM", JOURNAL, "MAXLEN", self.draw.choice(["0", "1", "20"])),
        "delete-journal": lambda self: self._command("DEL", JOURNAL),
    }


async def move_at_random(lanes: Sequence[Lane], draw: random.Random, over: asyncio.Event) -> None:
    """Cut lanes, and send lanes to another pod in order, some of them only after a while."""
    while not await rest(over, draw.uniform(*LANE_PAUSE_SECONDS)):
        for lane in draw.sample(lanes, draw.randint(1, 3)):
            away_seconds = draw.uniform(*(LONG_AWAY_SECONDS if draw.random() < LONG_AWAY_SHARE else AWAY_SECONDS))
            if draw.random() < 0.5:
                lane.cut(away_seconds)
            else:
                await lane.move(away_seconds)


async def move_in_turn(lanes: Sequence[Lane], draw: random.Random, over: asyncio.Event) -> None:
    """Send each lane to another pod once a second, one after the other."""
    for lane in itertools.cycle(lanes):
        if await rest(over, 1 / len(lanes)):
            break
        await lane.move(draw.uniform(*AWAY_SECONDS))


def overlapping(faults: list[Fault], earliest: float, latest: float) -> list[Fault]:
    """Return the faults that were at work at any time between two."""
    return [fault for fault in faults if fault.began <= latest and earliest <= (fault.ended or latest)]
