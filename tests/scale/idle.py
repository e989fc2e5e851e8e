"""What thousands of clients cost that are connected and are sent nothing."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any, NamedTuple

from streams.roster.keys import prefix
from tests.scale.fleet import Fleet, names_of
from tests.scale.scenario import Run
from tests.scale.stores import start
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, RedisServer, running_redis
from tests.support.waiting import eventually, wait_until

LANES_A_STORE = 10
WATCHED_SECONDS = 60.0
CONNECT_SECONDS = 120.0
# Claims were made, stores summed up.
SETTLE_SECONDS = 10.0
ON_THE_ROSTER_SECONDS = 5.0
POD_PERCENT = 5.0


class Spent(NamedTuple):
    """What was spent by a moment: seconds of CPU of the pod and of Redis, commands, and bytes sent to Redis."""

    at: float
    pod: float
    redis: float
    commands: float
    bytes_in: float

    @classmethod
    def now(cls, pod: Pod, server: RedisServer) -> Spent:
        client: Any = server.client
        times, cpu, stats = pod.ps.cpu_times(), client.info("cpu"), client.info("stats")
        return cls(
            time.monotonic(),
            times.user + times.system,
            cpu["used_cpu_user"] + cpu["used_cpu_sys"],
            float(stats["total_commands_processed"]),
            float(stats["total_net_input_bytes"]),
        )

    def since(self, before: Spent) -> Spent:
        """Return what was spent each second between two moments."""
        seconds = self.at - before.at
        return Spent(seconds, *((now - then) / seconds for now, then in zip(self[1:], before[1:], strict=True)))


async def idle(run: Run) -> None:
    """Connect all at once, then watch the pod while nothing happens."""
    with running_redis() as server:
        pod = await asyncio.to_thread(start, run, server)
        fleet = Fleet(dict.fromkeys(names_of(run.size, LANES_A_STORE), 0), lambda _place: pod.port)
        try:
            await connected(run, fleet, pod, server)
            await watched(run, pod, server)
        finally:
            await fleet.stop()
            await asyncio.to_thread(pod.terminate)
        pod.assert_no_traceback()


async def connected(run: Run, fleet: Fleet, pod: Pod, server: RedisServer) -> None:
    """Wait for the herd, and until the roster has it."""
    count, before = len(fleet.devices), Spent.now(pod, server)
    await eventually("all clients", lambda: fleet.connected == count, CONNECT_SECONDS)
    greeted = time.monotonic()
    run.note(f"{count:,} clients that come at once are greeted", greeted - before.at, "s")
    key = f"{prefix(CHANNEL)}totals"
    summed = functools.partial(summed_up, server, key, count)
    await asyncio.to_thread(wait_until, "all on the roster", summed, CONNECT_SECONDS)
    seconds = time.monotonic() - greeted
    run.note("all are on the roster, and summed up, after that", seconds, "s", at_most=ON_THE_ROSTER_SECONDS)
    spent = Spent.now(pod, server).since(before)
    run.note("CPU of the pod for each", 1e6 * spent.pod * spent.at / count, "µs")
    run.note("CPU of Redis for each", 1e6 * spent.redis * spent.at / count, "µs")


def summed_up(server: RedisServer, key: str, count: int) -> bool:
    client: Any = server.client
    return int(client.hget(key, "connected") or 0) == count


async def watched(run: Run, pod: Pod, server: RedisServer) -> None:
    await asyncio.sleep(SETTLE_SECONDS)
    before = Spent.now(pod, server)
    await asyncio.sleep(WATCHED_SECONDS)
    rate = Spent.now(pod, server).since(before)
    run.note("memory of the pod (RSS)", pod.ps.memory_info().rss / 2**20, "MiB")
    run.note("the pod while nothing happens", 100 * rate.pod, "% of a core", at_most=POD_PERCENT)
    run.note("Redis while nothing happens", 100 * rate.redis, "% of a core")
    run.note("commands in Redis, also in scripts", rate.commands, "a second")
    run.note("sent to Redis", rate.bytes_in / 1024, "KiB a second")
