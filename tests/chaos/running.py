"""One run: break what is under test for a while, mend it, and compare what was published with what was read."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.back_ends import BackEnd
from tests.chaos.cluster import Cluster
from tests.chaos.faults import Fault, FaultLog, PodFaults, RedisFaults, Timeline, move_at_random, move_in_turn, rest
from tests.chaos.lanes import Lane
from tests.chaos.publishing import Draft, Ledger, Publisher, Traffic, publish_until
from tests.chaos.roster import disagreements
from tests.chaos.verdict import Ingress, LaneRecord, Verdict, judge
from tests.support.waiting import eventually

PUBLISHERS = 2
# Each publishes over HTTP once in so many seconds, but for the time that it takes until it is accepted.
BACK_ENDS, BACK_END_SECONDS = 200, 5.0
# An event in so many goes in by both ingresses, with one id.
BOTH_SHARE = 0.02
WARM_UP_SECONDS = 20.0
LAST_READ_SECONDS = 30.0
# A loss that a pod finds last is told within this time.
LAST_TOLD_SECONDS = 15.0
# All claims have been made again by then.
AGREED_SECONDS = 40.0
PROGRESS_SECONDS = 2.0
# Starting, mending, the last events: after this time something hangs.
SPARE_SECONDS = 190.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does; with the same seed it draws the same faults, though never at the same microsecond."""

    seed: int
    seconds: float
    lanes: int
    events_per_second: float
    # No fault at all: every lane just moves once a second.
    calm: bool = False
    # Kinds of fault; all where none is named.
    only: frozenset[str] = frozenset()
    back_ends: int = BACK_ENDS

    def draw(self, what: str) -> random.Random:
        """Return the randomness of one part, which no other part's use of its own changes."""
        return random.Random(f"{self.seed}/{what}")


@dataclass(slots=True)
class Outcome:
    """All that is known after a run."""

    plan: Plan
    began: float
    ended: float
    faults: list[Fault]
    ledger: Ledger
    records: dict[str, LaneRecord]
    verdict: Verdict
    stranded: list[str] = field(default_factory=list)
    not_ready: str = ""
    # What the roster and the pods say differently of lanes.
    disagreeing: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)


async def run(plan: Plan, directory: Path, say: Say) -> Outcome:
    """Run a plan, with the logs of all pods in a directory; raise TimeoutError where it does not come to its end."""
    async with asyncio.timeout(plan.seconds + SPARE_SECONDS), Cluster(directory) as cluster:
        say("Three pods are ready")
        async with AsyncExitStack() as stack:
            phases = Phases(plan, cluster, say)
            for lane in phases.lanes:
                stack.push_async_callback(lane.stop)
            return await phases.through()


class Phases:
    """The phases of a run."""

    def __init__(self, plan: Plan, cluster: Cluster, say: Say) -> None:
        self._plan = plan
        self._cluster = cluster
        self._say = say
        self._log = FaultLog()
        self._ledger = Ledger()
        self._over = asyncio.Event()
        self.lanes = [
            Lane(name, cluster, plan.draw(name)) for name in (f"CHAOS-LANE{number:02d}" for number in range(plan.lanes))
        ]

    async def through(self) -> Outcome:
        """Go through all of them."""
        await self._warm_up()
        self._ledger.acknowledged.clear()
        began = time.time()
        await self._break()
        ended = time.time()
        not_ready = await self._wait_ready()
        self._say("Waiting for every lane to read its last events")
        stranded = await self._read_one_of_each(LAST_READ_SECONDS)
        verdict = await self._judge()
        self._say("Waiting for the roster to agree with the pods")
        disagreeing = await self._agree()
        return Outcome(
            plan=self._plan,
            began=began,
            ended=ended,
            faults=self._log.faults,
            ledger=self._ledger,
            records=self._records(),
            verdict=verdict,
            stranded=stranded,
            not_ready=not_ready,
            disagreeing=disagreeing,
            tracebacks=self._cluster.tracebacks(),
        )

    async def _warm_up(self) -> None:
        """Let each lane read one event by each ingress: only who comes back with an id is promised anything."""
        waiting = await self._read_one_of_each(WARM_UP_SECONDS)
        assert not waiting, f"nothing is broken yet, and these lanes read nothing: {waiting}"

    async def _break(self) -> None:
        plan = self._plan
        async with asyncio.TaskGroup() as tasks:
            for number in range(PUBLISHERS):
                traffic = Traffic(
                    self._ledger,
                    [lane.record.name for lane in self.lanes],
                    plan.lanes * plan.events_per_second / PUBLISHERS,
                    0.0 if plan.calm else BOTH_SHARE,
                    plan.draw(f"publisher-{number}"),
                )
                publisher = Publisher(self._cluster.primary_port, self._ledger)
                tasks.create_task(publish_until(self._over, publisher, traffic))
            for number in range(plan.back_ends):
                lanes = [lane.record.name for lane in self.lanes]
                draw = plan.draw(f"back-end-{number}")
                back_end = BackEnd(self._cluster, self._ledger, lanes, BACK_END_SECONDS, draw)
                tasks.create_task(back_end.publish_until(self._over))
            if plan.calm:
                tasks.create_task(move_in_turn(self.lanes, plan.draw("lanes"), self._over))
            else:
                tasks.create_task(move_at_random(self.lanes, plan.draw("lanes"), self._over))
                for timeline in self._timelines():
                    tasks.create_task(timeline.run(self._over, plan.only))
            await self._watch(plan.seconds)
            self._over.set()

    def _timelines(self) -> list[Timeline]:
        plan, log = self._plan, self._log
        pods = [PodFaults(seat, plan.draw(seat.name), log) for seat in self._cluster.seats]
        return [*pods, RedisFaults(self._cluster, plan.draw("redis"), log)]

    async def _watch(self, seconds: float) -> None:
        began = time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            await rest(self._over, min(left, PROGRESS_SECONDS))
            connected = sum(lane.connected for lane in self.lanes)
            broken = ", ".join(f"{fault.kind} {fault.target}" for fault in self._log.open) or "nothing broken"
            self._say(
                f"{time.monotonic() - began:4.0f} s  {len(self._ledger.acknowledged):,} events  "
                f"{connected}/{len(self.lanes)} lanes  {len(self._log.faults)} faults  {broken}"
            )

    async def _wait_ready(self) -> str:
        self._say("Everything is mended; waiting for the pods")
        try:
            await self._cluster.wait_ready()
        except AssertionError as error:
            return str(error)
        return ""

    async def _read_one_of_each(self, seconds: float) -> list[str]:
        """Publish to each lane by each ingress once all are connected; return the lanes that read not both in time.

        Such an event comes live: one that a lane lost while it was away is for the verdict.
        """
        with contextlib.suppress(AssertionError):
            await eventually("all lanes", lambda: all(lane.connected for lane in self.lanes), seconds)
        drafts = await self._publish_for_each()

        def waiting() -> list[str]:
            read = {lane.record.name: lane.read if lane.connected else set() for lane in self.lanes}
            return sorted({draft.lane for draft in drafts if draft.event_id not in read[draft.lane]})

        with contextlib.suppress(AssertionError):
            await eventually("both events", lambda: not waiting(), seconds)
        return waiting()

    async def _judge(self) -> Verdict:
        deadline = time.monotonic() + LAST_TOLD_SECONDS
        while True:
            verdict = judge(self._ledger.acknowledged, self._records())
            if not verdict.silent or time.monotonic() > deadline:
                return verdict
            await asyncio.sleep(1)

    async def _agree(self) -> list[str]:
        """Return what is wrong with the roster, if anything is for longer than it may be."""
        deadline, names = time.monotonic() + AGREED_SECONDS, [lane.record.name for lane in self.lanes]
        while found := await asyncio.to_thread(disagreements, self._cluster, names):
            if time.monotonic() > deadline:
                return found
            await asyncio.sleep(1)
        return []

    async def _publish_for_each(self) -> list[Draft]:
        """Publish an event for each lane by each ingress, and see to it that Redis acknowledges each."""
        drafts = [
            self._ledger.draft(lane.record.name, ingress)
            for lane in self.lanes
            for ingress in (Ingress.CHANNEL, Ingress.JOURNAL)
        ]
        publisher = Publisher(self._cluster.primary_port, self._ledger)
        taken = await publisher.send(drafts)
        publisher.close()
        assert len(taken) == len(drafts), "Redis is to take what is published while nothing is broken"
        return drafts

    def _records(self) -> dict[str, LaneRecord]:
        return {lane.record.name: lane.record for lane in self.lanes}
