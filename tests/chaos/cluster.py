"""What is under test: a Redis and its stand-by, and three pods that reach it each through a proxy of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from tests.chaos.proxy import PodLink
from tests.support.pods import Pod, environment
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

PODS = 3
# A failover takes no longer than this.
PAUSE_MS = 10_000
TRACEBACK = "Traceback (most recent call last)"
Settings = dict[str, str | float]
# What lanes do here is no duel, and what a pod forgets by itself would only hide what it loses.
POD_SETTINGS: Settings = {"DRAIN_SECONDS": 0, "DUEL_LIMIT": 10_000, "HISTORY_PER_CLIENT": 5_000}


class Seat:
    """The place of one pod, which may be started again and again, each time with a log of its own."""

    def __init__(self, number: int, link: PodLink, directory: Path, settings: Settings) -> None:
        self.name = f"pod-{number + 1}"
        self.link = link
        self.lives = 0
        self.alive = False
        self._directory = directory
        self._settings = settings
        self._pod: Pod | None = None

    @property
    def pod(self) -> Pod:
        assert self._pod is not None, f"{self.name} was never started"
        return self._pod

    @property
    def logs(self) -> list[Path]:
        return [self._log(life) for life in range(1, self.lives + 1)]

    def start(self) -> None:
        self.lives, self.alive = self.lives + 1, True
        env = environment(REDIS_URL=f"redis://127.0.0.1:{self.link.port}", POD_NAME=self.name, **self._settings)
        self._pod = Pod("streamworker", self._log(self.lives), env)

    def kill(self) -> None:
        """End the process, if there is one, as a power failure does."""
        self.alive = False
        if self._pod is not None:
            # Frozen or not.
            self._pod.process.kill()
            self._pod.process.wait()

    def ready(self) -> bool:
        return self.pod.status("/health/ready") == 200

    def _log(self, life: int) -> Path:
        return self._directory / f"{self.name}-life-{life}.log"


class Cluster:
    """Redis, the proxies and the pods; use it as a context manager, which ends them all."""

    def __init__(self, directory: Path, settings: Settings = POD_SETTINGS) -> None:
        # Whatever was acknowledged is there after a restart.
        self.redis, self.standby = (RedisServer(appendonly="yes", appendfsync="always") for _ in range(2))
        self.seats: list[Seat] = []
        self._directory = directory
        self._settings = settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            for server in (self.redis, self.standby):
                self._stack.callback(server.kill)
            await asyncio.to_thread(self.redis.start)
            for number in range(PODS):
                link = await self._stack.enter_async_context(PodLink(self.redis.port))
                seat = Seat(number, link, self._directory, self._settings)
                self.seats.append(seat)
                self._stack.callback(seat.kill)
                seat.start()
            await self.wait_ready()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def primary_port(self) -> int:
        return self.redis.port

    def fail_over(self) -> None:
        """Make the stand-by, which is started, the primary that publishers and new connections reach.

        Nothing that was acknowledged is lost. The old one goes on as another primary, with the connections
        that it has.
        """
        old, new = self.redis, self.standby
        new.replicate(old)
        old.client.client_pause(PAUSE_MS, all=False)
        wait_until("the stand-by to have it all", lambda: offset(new) >= offset(old))
        new.promote()
        self.redis, self.standby = new, old
        for seat in self.seats:
            seat.link.target = new.port
        old.client.client_unpause()

    def port(self, number: int) -> int:
        return self.seats[number].pod.port

    def life(self, number: int) -> int:
        """Return which life of a pod this is, or 0 after it was killed."""
        seat = self.seats[number]
        return seat.lives if seat.alive else 0

    async def wait_ready(self) -> None:
        """Wait until all pods take clients; fail with the log of one that does not."""
        await asyncio.gather(*(asyncio.to_thread(seat.pod.wait_ready) for seat in self.seats))

    def tracebacks(self) -> list[str]:
        """Return the beginning of each traceback in the log of any pod's life."""
        return [
            f"{log.name}: {TRACEBACK}{text[:2_000]}"
            for seat in self.seats
            for log in seat.logs
            for text in log.read_text(errors="replace").split(TRACEBACK)[1:]
        ]


def offset(server: RedisServer) -> int:
    """Return how far the history of a server is."""
    return int(server.client.info("replication")["master_repl_offset"])
