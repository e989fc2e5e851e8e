"""Another Redis becomes the primary while the old one goes on: the pod moves, and tells what it may have missed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.clients.devices import gap_covers
from tests.support.http import HOST, EventStream, open_stream
from tests.support.links.relay import Relay
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, JOURNAL, RedisServer, event, free_port, running_redis
from tests.support.waiting import eventually

# After a demotion, or a name that moved, until the pod takes no clients.
NOTICED_SECONDS = 15.0
READY_SECONDS = 5.0
# So often each ingress takes an event.
PUBLISH_SECONDS = 0.05
HALVES_SECONDS = 2.0
PRIMARY = "primary.test"


@pytest.fixture
def old() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def new(old: RedisServer) -> Iterator[RedisServer]:
    """A replica of the old one."""
    with running_redis(**{"enable-debug-command": "local"}) as server:
        server.replicate(old)
        yield server


class Publishers:
    """Publish on both ingresses of one server, or the other, and note when it took what."""

    def __init__(self, client: str, server: RedisServer, *, journal: bool = True) -> None:
        self.server = server
        self.ways = (False, True) if journal else (False,)
        # By the event's id, the times between which it was taken.
        self.taken: dict[str, tuple[float, float]] = {}
        self._client = client
        self._number = 0

    @contextlib.asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._publish())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _publish(self) -> None:
        while True:
            for durable in self.ways:
                self._take(durable=durable)
            await asyncio.sleep(PUBLISH_SECONDS)

    def _take(self, *, durable: bool) -> str:
        self._number += 1
        message = json.dumps(event(self._client, self._number))
        before = time.time()
        if durable:
            self.server.client.xadd(JOURNAL, {"event": message})
        else:
            self.server.client.publish(CHANNEL, message)
        event_id = event("", self._number)["eventId"]
        self.taken[event_id] = (before, time.time())
        return str(event_id)


class Reading:
    """All that a stream was sent."""

    def __init__(self, stream: EventStream) -> None:
        self.ids: set[str] = set()
        self.gaps: list[dict[str, Any]] = []
        self._stream = stream
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (received := await self._stream.next(timeout=60)) is not None:
            if received.type == "stream-gap":
                self.gaps.append(received.json())
            elif received.type == "message":
                self.ids.add(received.json()["eventId"])

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stream.close()

    def silent(self, publishers: Publishers) -> list[str]:
        """Return the events that were neither sent nor named as missing."""
        return [
            event_id
            for event_id, (earliest, latest) in publishers.taken.items()
            if event_id not in self.ids and not any(gap_covers(gap, earliest, latest) for gap in self.gaps)
        ]

    async def reads_all_that_comes_now(self, publishers: Publishers) -> None:
        last = [publishers._take(durable=durable) for durable in publishers.ways]
        await eventually("what is published after it", lambda: self.ids.issuperset(last), timeout=5)


async def reason_names(pod: Pod, *words: str) -> None:
    def reason() -> str:
        answer = pod.fetch("/health/ready")
        return "" if answer.status == 200 else str(answer.json()["reason"])

    await eventually(f"a reason with {words}", lambda: all(word in reason() for word in words), NOTICED_SECONDS)


@pytest.mark.parametrize(
    ("halves_seconds", "durable_log"),
    [(0.0, "on"), (HALVES_SECONDS, "on"), pytest.param(HALVES_SECONDS, "off", marks=pytest.mark.long)],
)
async def test_a_demoted_primary_is_left_and_what_the_new_one_took_is_named(
    halves_seconds: float, durable_log: str, start_pod: StartPod, old: RedisServer, new: RedisServer, client_name: str
):
    async with Relay([old.port]) as relay:
        # The relay is on this event loop.
        pod = start_pod(ready=False, REDIS_URL=f"redis://{HOST}:{relay.port}", DURABLE_LOG=durable_log)
        await asyncio.to_thread(pod.wait_ready)
        reading = Reading(await open_stream(pod.port, client_name))
        publishers = Publishers(client_name, old, journal=durable_log == "on")
        async with publishers.publishing():
            await eventually("some events", lambda: len(reading.ids) > 20, timeout=5)
            new.promote()
            publishers.server = new
            # Two primaries for a while: the links of the pod hold on to the old one.
            await asyncio.sleep(halves_seconds)
            old.client.replicaof(HOST, str(new.port))
            await reason_names(pod, "replica", f"{HOST}:{new.port}")
            assert pod.metric("sse_redis_subscribed") == 0
            relay.targets = [new.port]
            await eventually("readiness", lambda: pod.status("/health/ready") == 200, READY_SECONDS)
        await reading.reads_all_that_comes_now(publishers)
        assert reading.silent(publishers) == []
        assert reading.gaps
        await reading.stop()


@contextlib.asynccontextmanager
async def addresses(*servers: RedisServer) -> AsyncIterator[tuple[int, list[str]]]:
    """Give each server an address of its own, all with one port, as the hosts behind a name have it."""
    async with contextlib.AsyncExitStack() as stack:
        hosts = [f"127.0.0.{number}" for number in range(2, len(servers) + 2)]
        port = free_port()
        for host, server in zip(hosts, servers, strict=True):
            await stack.enter_async_context(Relay([server.port], host=host, port=port))
        yield port, hosts


@pytest.mark.parametrize("related", [True, False])
async def test_a_name_that_moves_is_followed_while_its_old_meaning_goes_on(
    related: bool, start_pod: StartPod, old: RedisServer, new: RedisServer, client_name: str, tmp_path: Path
):
    new.promote()
    if not related:
        # Then nothing that it says tells since when publishers may use it; the name does.
        new.client.execute_command("DEBUG", "CHANGE-REPL-ID")  # type: ignore[no-untyped-call]
    hosts = tmp_path / "hosts"
    async with addresses(old, new) as (port, (old_address, new_address)):
        hosts.write_text(f"{PRIMARY} {old_address}\n")
        pod = await named_pod(start_pod, port, hosts)
        reading = Reading(await open_stream(pod.port, client_name))
        publishers = Publishers(client_name, old)
        async with publishers.publishing():
            await eventually("events of both ingresses", lambda: len(reading.ids) > 20, timeout=5)
            publishers.server = new
            hosts.write_text(f"{PRIMARY} {new_address}\n")
            await eventually("the new one to be subscribed to", new.subscribers, NOTICED_SECONDS)
            await eventually("readiness", lambda: pod.status("/health/ready") == 200, READY_SECONDS)
        assert old.subscribers() == 0
        await reading.reads_all_that_comes_now(publishers)
        assert reading.silent(publishers) == []
        assert reading.gaps
        await reading.stop()
        pod.terminate()


async def named_pod(start_pod: StartPod, port: int, hosts: Path) -> Pod:
    pod = start_pod(
        "daphne",
        ready=False,
        application="tests.support.applications.moving_names:application",
        REDIS_URL=f"redis://{PRIMARY}:{port}",
        HOSTS_FILE=str(hosts),
    )
    await asyncio.to_thread(pod.wait_ready)
    return pod


async def test_a_replica_is_not_subscribed_to_and_one_line_says_so(
    start_pod: StartPod, old: RedisServer, new: RedisServer, client_name: str
):
    pod = start_pod(ready=False, REDIS_URL=new.url)
    pod.wait_live()
    await reason_names(pod, "read-only replica", f"{HOST}:{old.port}")
    pod.wait_log("replica")
    lines = [line for line in pod.log.splitlines() if "replica" in line]
    assert len(lines) == 1, pod.log
    new.promote()
    await eventually("readiness", lambda: pod.status("/health/ready") == 200, READY_SECONDS)
    async with await open_stream(pod.port, client_name) as stream:
        new.publish(event(client_name, 1))
        await stream.until("evt-00000001")


async def test_a_name_with_a_replica_and_a_primary_leads_to_the_primary(
    start_pod: StartPod, old: RedisServer, new: RedisServer, tmp_path: Path
):
    hosts = tmp_path / "hosts"
    async with addresses(new, old) as (port, both):
        hosts.write_text(" ".join((PRIMARY, *both)))
        await named_pod(start_pod, port, hosts)
        assert old.subscribers() == 1
        assert new.subscribers() == 0
