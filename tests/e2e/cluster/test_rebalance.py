"""A pod that has far more clients than the others sends some to them, and no client misses anything."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from tests.conftest import StartPod
from tests.support.clients.publishing import publishing
from tests.support.http import EventStream, open_stream
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

CHANNEL = "rebalanced"
HELD = (60, 30, 30)
MEAN = sum(HELD) // len(HELD)
REBALANCED = 'sse_closes_total{reason="rebalanced"}'
SENDS_NO_MORE = "This pod sends no more clients to the others"


@dataclass(slots=True)
class Device:
    """A client that waits as it is asked to, and goes on after what it has read last."""

    name: str
    numbers: list[int] = field(default_factory=list)
    last_event_id: str = ""
    moves: int = 0

    async def live(self, stream: EventStream, door: FrontDoor) -> None:
        while True:
            async with stream:
                await self._read(stream)
            self.moves += 1
            await asyncio.sleep((stream.parser.retry_ms or 0) / 1000)
            headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
            stream = await open_stream(door.least(), self.name, headers=headers)

    async def _read(self, stream: EventStream) -> None:
        while (got := await stream.next(timeout=120)) is not None:
            if got.type == "message" and "data" in got.json():
                self.numbers.append(got.json()["data"])
                self.last_event_id = got.last_event_id
            elif got.type != "message":
                said = got.json()
                assert (said["type"], said["reason"]) == ("draining", "rebalanced"), got


@dataclass(slots=True)
class FrontDoor:
    """Knows how many clients each pod was given, and gives the next to the one with the fewest."""

    given: dict[int, int]

    def least(self) -> int:
        port = min(self.given, key=lambda port: self.given[port])
        self.given[port] += 1
        return port


@pytest.mark.long
async def test_shares_become_even_and_nobody_misses_anything(start_pod: StartPod, redis_server: RedisServer):
    pods = [start(start_pod, redis_server, number) for number in range(3)]
    full, *others = pods
    devices, streams = [], []
    for pod, count in zip(pods, HELD, strict=True):
        for number in range(count):
            devices.append(Device(f"{pod.port}-{number}"))
            streams.append(await open_stream(pod.port, devices[-1].name))
    door = FrontDoor({pod.port: count for pod, count in zip(others, HELD[1:], strict=True)})
    living = [asyncio.create_task(one.live(stream, door)) for one, stream in zip(devices, streams, strict=True)]
    published = 0

    def batch() -> list[str]:
        nonlocal published
        published += 1
        return [
            json.dumps({"clientName": one.name, "eventId": f"{one.name}-{published}", "data": published})
            for one in devices
        ]

    async with publishing(redis_server, CHANNEL, batch, 0.5):
        await eventually("the full pod to have sent enough away", lambda: SENDS_NO_MORE in full.log, 90)
    expected = list(range(1, published + 1))
    await eventually("all events", lambda: all(len(one.numbers) >= published for one in devices))
    assert all(one.numbers == expected for one in devices), "each event once and in order"
    counts = [pod.connections() for pod in pods]
    assert sum(counts) == sum(HELD)
    assert MEAN <= counts[0] <= 1.1 * MEAN + 1, counts
    assert [pod.metric(REBALANCED) for pod in pods] == [HELD[0] - counts[0], 0, 0]
    assert sum(one.moves for one in devices) == HELD[0] - counts[0]
    assert max(one.moves for one in devices) == 1
    for task in living:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*living, return_exceptions=True)


def start(start_pod: StartPod, server: RedisServer, number: int) -> Pod:
    return start_pod(
        "daphne",
        application="tests.support.applications.quick_rebalance:application",
        REDIS_URL=server.url,
        REDIS_CHANNEL=CHANNEL,
        POD_NAME=f"pod-{number}",
        REBALANCE="on",
        FRONT_DOOR_HASHES="off",
    )


def test_check_refuses_it_where_the_front_door_hashes():
    variables = {**PRODUCTION, "POD_NAME": "pod-1", "REDIS_URL": "redis://127.0.0.1", "REBALANCE": "on"}
    for command in ("check", "streamworker"):
        refused = run_manage(command, env=environment(**variables))
        assert refused.returncode == 1
        assert "(streams.E001) REBALANCE is on and so is FRONT_DOOR_HASHES" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert run_manage("check", env=environment(**variables, FRONT_DOOR_HASHES="off")).returncode == 0
