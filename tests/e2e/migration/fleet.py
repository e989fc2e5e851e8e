"""Pods behind HAProxy with keys in a file, and what an operator does with them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from deploy.front_door import find_front_door
from deploy.processes import ChildProcess
from tests.deploy.files import tool
from tests.e2e.migration.lanes import TOKEN_SECONDS, WARN_SECONDS, TokenLane, all_connected, all_read_on
from tests.streams.auth.issuer import jwk, jwks, private, token
from tests.support.http import HOST
from tests.support.pods import Pod, environment
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import eventually

ALGORITHM = "ES256"
# A little more than the least that a stream is told to wait: the front door finds a pod within a second.
DRAIN_SECONDS = 2


class Issuer:
    """A login server: it signs with one key, and publishes those that it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signs = 1
        self.publish(1)

    def publish(self, *numbers: int) -> None:
        """Write the file of public keys as a mounted Secret is: in one step."""
        members = (jwk(ALGORITHM, f"key-{number}", number) for number in numbers)
        written = self.path.with_suffix(".new")
        written.write_text(jwks(*members))
        written.replace(self.path)

    def issue(self, sub: str, seconds: float = TOKEN_SECONDS) -> str:
        """Return a token for the client that is its holder, signed with the key of now."""
        now = time.time()
        held = {"sub": sub, "iat": now, "exp": now + seconds}
        return token(ALGORITHM, private(ALGORITHM, self.signs), f"key-{self.signs}", **held)


class Fleet:
    """The pods of a cluster, each of which can be started anew with another lock."""

    def __init__(self, redis: RedisServer, issuer: Issuer, directory: Path, count: int) -> None:
        self.door_port, *self.ports = (free_port() for _ in range(4))
        self.count = count
        # By their numbers, from 0.
        self._pods: dict[int, Pod] = {}
        # The logs of all pods that there were.
        self.logs: list[Path] = []
        self._redis, self._issuer, self._directory = redis, issuer, directory

    @property
    def pods(self) -> list[Pod]:
        return [self._pods[number] for number in sorted(self._pods)]

    @property
    def pod_ports(self) -> list[int]:
        return self.ports[: self.count]

    def start(self, number: int, mode: str) -> Pod:
        """Start a pod of the given number, from 0, and wait until it takes streams."""
        log_path = self._directory / f"pod-{number + 1}-{len(self.logs)}.log"
        variables = environment(
            REDIS_URL=self._redis.url,
            POD_NAME=f"pod-{number + 1}",
            TRUSTED_PROXIES=HOST,
            DRAIN_SECONDS=DRAIN_SECONDS,
            STREAM_AUTH=mode,
            TOKEN_KEYS=str(self._issuer.path),
            TOKEN_WARN_SECONDS=WARN_SECONDS,
            TOKEN_LEEWAY_SECONDS=1,
        )
        self.logs.append(log_path)
        pod = Pod("streamworker", log_path, variables, port=self.ports[number])
        self._pods[number] = pod
        pod.wait_ready()
        return pod

    async def roll(self, mode: str, lanes: Sequence[TokenLane]) -> None:
        """Start the pods anew, one after the other, each when the lanes of the one before are back elsewhere."""
        for number, pod in enumerate(self.pods):
            await asyncio.to_thread(pod.terminate)
            await all_connected(lanes)
            await asyncio.to_thread(self.start, number, mode)
            # Whatever a lane has read last is younger than the pod that it may go to next.
            await all_read_on(lanes)

    def refused(self) -> dict[str, str]:
        """Ask each pod which lanes it refuses, or would; return them with the reasons."""
        return {lane["clientName"]: lane["result"] for pod in self.pods for lane in refused_by(pod)}

    async def keys_known(self, count: int) -> None:
        """Wait until every pod says that it knows so many keys."""

        def known(pod: Pod) -> str:
            return str(re.findall(r"TOKEN_KEYS: (\d+) key", pod.log)[-1])

        await eventually(f"{count} keys", lambda: {known(pod) for pod in self.pods} == {str(count)})


def refused_by(pod: Pod) -> list[dict[str, Any]]:
    """Return all that a pod lists, page by page; what comes and goes meanwhile may be among it."""
    lanes: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = pod.json(f"/api/v1/refused?limit=25{cursor}")
        lanes += page["lanes"]
        if "nextCursor" not in page:
            return lanes
        cursor = f"&cursor={page['nextCursor']}"


@contextlib.asynccontextmanager
async def running_fleet(
    redis: RedisServer, issuer: Issuer, directory: Path, count: int, mode: str
) -> AsyncIterator[Fleet]:
    """Run pods with a lock in this mode, and their front door."""
    tool("haproxy", "the package haproxy")
    door = find_front_door("haproxy")
    assert door is not None
    fleet = Fleet(redis, issuer, directory, count)
    command = door.command(directory, fleet.door_port, fleet.ports)
    front = None
    try:
        await asyncio.gather(*(asyncio.to_thread(fleet.start, number, mode) for number in range(count)))
        front = ChildProcess("haproxy", command, os.environ, log_path=directory / "haproxy.log")
        await asyncio.to_thread(front.wait_answer, fleet.door_port, "/front-door/health")
        yield fleet
    finally:
        for process in (*fleet.pods, *([front] if front else [])):
            await asyncio.to_thread(process.stop)
    assert not [path for path in fleet.logs if "Traceback" in path.read_text()]
