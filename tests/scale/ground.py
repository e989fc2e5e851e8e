"""Where a scenario takes place: three pods with a fleet of devices, and what the roster says of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import redis
import redis.asyncio

from streams.roster.keys import store_of
from streams.roster.reading.lanes import Totals
from streams.roster.reading.reader import RosterReader
from tests.chaos.cluster import Cluster, Seat, Settings
from tests.chaos.roster import CHANNEL, disagreements
from tests.scale.fleet import Fleet

Say = Callable[[str], None]
LOOK_SECONDS = 0.25
CONNECT_SECONDS = 120.0
# All claims have been made again by then.
AGREED_SECONDS = 40.0
PAGE = 1_000
SAME_TRIES = 20
# Of the looks, and the metric of the alert SSELanesMissing.
METRICS_EACH = 8
MISSING_METRIC = "sse_lanes_missing"


class Ground:
    """A cluster, its devices, and the questions that scenarios ask."""

    def __init__(self, cluster: Cluster, fleet: Fleet, say: Say) -> None:
        self.cluster = cluster
        self.fleet = fleet
        self.say = say
        # The most of each count that was seen while somebody looked.
        self.most: Counter[str] = Counter()

    @property
    def names(self) -> list[str]:
        return [device.name for device in self.fleet.devices]

    @property
    def seats(self) -> list[Seat]:
        return [seat for seat in self.cluster.seats if seat.alive]

    async def connect(self) -> float:
        """Wait until all devices are connected and the roster says so; return after how many seconds."""
        return await self.until("all devices to be on the roster", self.whole, CONNECT_SECONDS)

    def whole(self, totals: Totals) -> bool:
        """Say whether all devices are connected, and no other lane is known."""
        return self.fleet.connected == totals.connected == totals.lanes == len(self.fleet.devices)

    async def until(self, what: str, there: Callable[[Totals], bool], timeout: float) -> float:
        """Wait until what the roster sums up is as it should be; return after how many seconds."""
        began = time.monotonic()
        async with self.reader() as reader:
            while not there(totals := await self.totals(reader)):
                waited = time.monotonic() - began
                assert waited < timeout, f"waited {timeout:g} s for {what}; {self.fleet.connected} devices, {totals}"
                await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    @property
    def most_missing(self) -> int:
        """The most lanes that counted as missing, by the sums or by the metric."""
        return max(self.most["missing"], self.most[MISSING_METRIC])

    async def totals(self, reader: RosterReader) -> Totals:
        """Read the sums of all stores, or none while Redis is away."""
        try:
            totals = await reader.totals()
        except (redis.RedisError, OSError):
            return Totals(*[0] * len(Totals.__struct_fields__))
        for field in ("lanes", "missing", "unknown", "offline", "dark_stores"):
            self.most[field] = max(self.most[field], getattr(totals, field))
        return totals

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[RosterReader]:
        """Read from the Redis that is the primary now."""
        async with redis.asyncio.Redis.from_url(self.cluster.redis.url, socket_timeout=2) as client:
            yield RosterReader(client, CHANNEL)

    async def expect_all(self) -> None:
        """Say of all lanes that they are expected."""
        stores: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.names:
            stores[store_of(name)].append(name)
        async with self.reader() as reader:
            for store, names in stores.items():
                await reader.expect(store, names)

    async def agree(self) -> float:
        """Wait until the roster says of each lane what the pods say, and each has one stream; return the seconds."""
        began = time.monotonic()
        while found := await asyncio.to_thread(disagreements, self.cluster, self.names):
            assert time.monotonic() - began < AGREED_SECONDS, f"{len(found)} lanes are wrong: {'; '.join(found[:5])}"
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    async def right_on_all(self) -> float:
        """Wait until all pods list each lane as connected to the pod that its device is on; return the seconds."""
        began = time.monotonic()
        while wrong := self._wrong(await self.same_on_all()):
            assert time.monotonic() - began < AGREED_SECONDS, f"{len(wrong)} lanes are wrong: {wrong[:3]}"
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def _wrong(self, lanes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seats = self.cluster.seats
        where = {each.name: seats[each.place].name for each in self.fleet.devices if each.place is not None}
        return [
            lane
            for lane in lanes
            if (lane["state"], lane.get("podName")) != ("connected", where.get(lane["clientName"]))
        ]

    async def same_on_all(self) -> list[dict[str, Any]]:
        """Return all lanes as all pods list them; each lane has to be there once."""
        for _ in range(SAME_TRIES):
            lists = await asyncio.gather(*(asyncio.to_thread(listed, seat) for seat in self.seats))
            if all(other == lists[0] for other in lists):
                break
            # Something may change between two answers.
            await asyncio.sleep(LOOK_SECONDS)
        for other in lists[1:]:
            assert other == lists[0], f"pods differ: {difference(lists[0], other)}"
        names = Counter(lane["clientName"] for lane in lists[0])
        assert names == Counter(self.names), f"lanes are listed otherwise than once: {(names - Counter(self.names))}"
        return lists[0]


def listed(seat: Seat) -> list[dict[str, Any]]:
    """Return all lanes as one pod lists them, page by page."""
    lanes: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = seat.pod.json(f"/api/v1/clients?limit={PAGE}&cursor={cursor}")
        lanes += page["clients"]
        if not (cursor := page.get("nextCursor", "")):
            return lanes


def difference(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> str:
    """Return the first lanes of which two pods say different things."""
    return str([pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]][:2])


@contextlib.asynccontextmanager
async def standing(
    homes: Mapping[str, int], directory: Path, say: Say, **settings: str | float
) -> AsyncIterator[Ground]:
    """Start three pods and a device for each name, on the pod that is its home; all end with the block."""
    given: Settings = {"DRAIN_SECONDS": 0, **settings}
    async with Cluster(directory, given) as cluster:
        fleet = Fleet(homes, cluster.port)
        ground = Ground(cluster, fleet, say)
        looking = asyncio.create_task(look_on(ground), name="look-on")
        try:
            yield ground
        finally:
            looking.cancel()
            await fleet.stop()
        tracebacks = cluster.tracebacks()
        assert not tracebacks, tracebacks[0]


async def look_on(ground: Ground) -> None:
    """Look at the sums, and at what pods tell Prometheus, until cancelled, so that `most` knows what was to be seen."""
    for number in itertools.count():
        async with ground.reader() as reader:
            await ground.totals(reader)
        if number % METRICS_EACH == 0:
            seats = [ground.cluster.seats[place] for place in ground.fleet.open_places]
            shown = await asyncio.to_thread(missing_in_metrics, seats)
            ground.most[MISSING_METRIC] = max(ground.most[MISSING_METRIC], *shown, 0)
        await asyncio.sleep(LOOK_SECONDS)


def missing_in_metrics(seats: list[Seat]) -> list[int]:
    """Return how many lanes are missing, by the metric that the alert is for; a pod may not know it, or be gone."""
    found: list[int] = []
    for seat in seats:
        with contextlib.suppress(OSError, AssertionError):
            text = seat.pod.fetch("/metrics", timeout=5).body.decode()
            found += map(int, re.findall(rf"(?m)^{MISSING_METRIC} (\d+)$", text))
    return found
