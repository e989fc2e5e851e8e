"""A fleet that needs no tokens comes to need them, step by step as docs/howto/tokens.md says, and changes its key."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.migration.fleet import Fleet, Issuer, running_fleet
from tests.e2e.migration.lanes import TokenLane, all_connected, all_read_on
from tests.support.clients import devices
from tests.support.clients.devices import Source, all_read_last
from tests.support.http import fetch
from tests.support.marks import long
from tests.support.redis_server import running_redis
from tests.support.waiting import eventually

# Over what a lane is told to wait: it connects, and is greeted.
RECONNECT_SECONDS = 2.0
# The ids of one way to publish are apart from those of the other.
CHANNEL_IDS = 50_000_000


class Size(NamedTuple):
    """Half of the events are durable; the small one begins with pods that observe, and does not go back."""

    lanes: int
    pods: int
    events_per_second: float

    @property
    def whole(self) -> bool:
        return self.pods == 3

    @property
    def parts(self) -> int:
        return 4 if self.whole else 1


class Steps:
    """How long each step took, in the order of the steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 1)


@contextlib.asynccontextmanager
async def running_lanes(names: list[str], fleet: Fleet, issuer: Issuer) -> AsyncIterator[list[TokenLane]]:
    """Connect a lane for each name; some have a token already, and send it."""
    lanes = [TokenLane(name, lambda: fleet.door_port, issuer.issue) for name in names]
    for lane in lanes[::3]:
        lane.take_token()
    try:
        await all_connected(lanes)
        yield lanes
        assert [lane.name for lane in lanes if lane.failed] == []
    finally:
        await asyncio.gather(*(lane.stop() for lane in lanes))


async def listed(fleet: Fleet, wanted: dict[str, str]) -> None:
    """Wait until the pods list these lanes, with the reasons, and no others."""
    deadline = time.monotonic() + 15
    while (found := await asyncio.to_thread(fleet.refused)) != wanted:
        assert time.monotonic() < deadline, (found, wanted)
        await asyncio.sleep(0.2)


def asked(port: int, name: str, token: str) -> int:
    """Return what whoever presents a token would be answered, and evict nobody."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return fetch(port, f"/events/{name}", method="HEAD", headers=headers).status


@pytest.mark.first
@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", [pytest.param(Size(12, 2, 60), id="12-lanes"), long(Size(60, 3, 300), id="60-lanes")])
async def test_fleet_comes_to_tokens_and_to_another_key_without_a_dark_lane(
    size: Size, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(devices, "BATCH_SECONDS", 0.1)
    issuer = Issuer(tmp_path / "keys.json")
    names = [f"STORE{number // 4:03d}-LANE{number % 4:02d}" for number in range(size.lanes)]
    steps = Steps()
    with running_redis() as redis:
        durable = Source(redis.url, names, size.events_per_second / 2, durable=True)
        channel = Source(redis.url, names, size.events_per_second / 2, durable=False, _number=CHANNEL_IDS)
        sources = [durable, channel]
        async with (
            running_fleet(redis, issuer, tmp_path, size.pods, "off" if size.whole else "observe") as fleet,
            running_lanes(names, fleet, issuer) as lanes,
        ):
            with durable.running(), channel.running():
                # A lane has to have an id to come back with.
                await all_read_on(lanes)
                if size.whole:
                    await from_off_to_observe(fleet, lanes, steps)
                await lane_by_lane(fleet, lanes, issuer, steps, size.parts)
                await from_observe_to_required(fleet, lanes, steps)
                await rotate(fleet, lanes, issuer, steps)
                if size.whole:
                    with steps.step("back to observe"):
                        await fleet.roll("observe", lanes)
            for source in sources:
                await all_read_last(source, lanes, 20)
            report(lanes, sources, steps)


async def from_off_to_observe(fleet: Fleet, lanes: list[TokenLane], steps: Steps) -> None:
    """Roll a fleet that has looked at no token; the lanes without one are found."""
    with steps.step("off to observe"):
        await fleet.roll("observe", lanes)
    await listed(fleet, {lane.name: "none" for lane in lanes if not lane.token})


async def lane_by_lane(fleet: Fleet, lanes: list[TokenLane], issuer: Issuer, steps: Steps, parts: int) -> None:
    """Give each of the others its token; one gets that of another lane."""
    mistaken, *late = [lane for lane in lanes if not lane.token]
    with steps.step("lane by lane"):
        mistaken.token = issuer.issue(lanes[0].name, 3600)
        assert mistaken.cut()
        left = {lane.name: "none" for lane in late} | {mistaken.name: "scope"}
        await listed(fleet, left)
        for part in range(parts):
            for lane in late[part::parts]:
                lane.take_token()
                # As a device does that is started with its token.
                assert lane.cut()
                del left[lane.name]
            await listed(fleet, left)
        assert left == {mistaken.name: "scope"}
    with steps.step("the mistake mended"):
        mistaken.take_token()
        assert mistaken.cut()
        await listed(fleet, {})
    with steps.step("each token renewed"):
        warned = [lane.warned for lane in lanes]
        await eventually(
            "every lane to be warned and to renew",
            lambda: all(lane.warned > times for lane, times in zip(lanes, warned, strict=True)),
            60,
        )
        await all_connected(lanes)
        await listed(fleet, {})


async def from_observe_to_required(fleet: Fleet, lanes: list[TokenLane], steps: Steps) -> None:
    """Roll the fleet; only who tries on purpose is refused."""
    with steps.step("observe to required"):
        await fleet.roll("required", lanes)
    await listed(fleet, {})
    one, other = lanes[:2]
    for port in (fleet.door_port, *fleet.pod_ports):
        assert asked(port, one.name, one.token) == 200
        assert asked(port, one.name, "") == 401
        assert asked(port, one.name, other.token) == 403
    await listed(fleet, {one.name: "scope"})


async def rotate(fleet: Fleet, lanes: list[TokenLane], issuer: Issuer, steps: Steps) -> None:
    """Change the key while streams are open: none of them ends."""
    before = [lane.connects for lane in lanes]
    name, old = lanes[0].name, issuer.issue(lanes[0].name, 3600)
    with steps.step("both keys known"):
        issuer.publish(1, 2)
        await fleet.keys_known(2)
    with steps.step("renewed with the new key"):
        issuer.signs = 2
        assert set(await asyncio.gather(*(lane.renew() for lane in lanes))) == {204}
    assert [asked(port, name, old) for port in fleet.pod_ports] == [200] * fleet.count
    with steps.step("old key gone"):
        issuer.publish(2)
        await fleet.keys_known(1)
    assert [asked(port, name, old) for port in fleet.pod_ports] == [401] * fleet.count
    for port in fleet.pod_ports:
        assert {asked(port, lane.name, lane.token) for lane in lanes} == {200}
    assert [lane.connects for lane in lanes] == before
    assert not any(lane.absent for lane in lanes)


def report(lanes: list[TokenLane], sources: list[Source], steps: Steps) -> None:
    """Assert that nothing was lost and no lane was dark, and print the figures."""
    lost = [
        event.event_id
        for lane in lanes
        for source in sources
        for event in source.taken[lane.name]
        if event.event_id not in set(lane.read)
    ]
    absences = [absence for lane in lanes for absence in lane.absences if absence.reason != "new"]
    doubled = sum(lane.doubled for lane in lanes)
    over = max(absence.seconds - absence.told_seconds for absence in absences)
    print(
        f"\n{sum(source.count for source in sources)} published, {sum(len(lane.read) for lane in lanes)} read, "
        f"{len(lost)} lost, {doubled} doubled; {len(absences)} absences, the longest "
        f"{max(absence.seconds for absence in absences):.2f} s, {over:.2f} s over what was told; "
        f"ends {Counter(end for lane in lanes for end in lane.ends)}, "
        f"gaps {Counter(gap['reason'] for lane in lanes for gap in lane.gaps)}, {steps.seconds}, "
        f"{time.process_time():.1f} s of processor here"
    )
    assert lost == []
    assert {status for lane in lanes for status in lane.statuses} == {200}
    assert [lane.refusals for lane in lanes if lane.refusals] == []
    assert {end for lane in lanes for end in lane.ends} <= {"draining", "cut"}
    assert over < RECONNECT_SECONDS, [lane.absences for lane in lanes]
