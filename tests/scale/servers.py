"""Redis that forgets, stands still, begins anew with nothing or is followed by its replica, while clients move."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

from tests.scale.fleet import names_of
from tests.scale.ground import Ground
from tests.scale.scenario import Run
from tests.support.http import HOST

WHOLE_SECONDS = 10.0
# Pages say what the former Redis knew for ten seconds, until all pods have claimed in the one that is another.
AGREED_SECONDS = 20.0
FROZEN_SECONDS = 20.0
DOWN_SECONDS = 3.0
# Of all clients, while Redis is away.
MOVING_SHARE = 0.2


@contextlib.asynccontextmanager
async def served(run: Run) -> AsyncIterator[Ground]:
    """Give a cluster whose lanes are all connected and expected."""
    homes = {name: number % 3 for number, name in enumerate(names_of(run.size, 10))}
    async with run.standing(homes) as ground:
        run.note("all clients connect and are on the roster", await ground.connect(), "s")
        await ground.expect_all()
        ground.most.clear()
        yield ground


async def mended(run: Run, ground: Ground, at_most: float) -> None:
    """Wait until all is as before, on all pods."""
    began = time.monotonic()
    await ground.until("the roster to be whole", ground.whole, 2 * at_most)
    run.note("the roster is whole", time.monotonic() - began, "s", at_most=at_most)
    await ground.agree()
    run.note("it agrees with the pods, one stream a lane", time.monotonic() - began, "s", at_most=at_most)
    open_still = sum(not stream.ended.done() for stream in ground.fleet.left_open)
    run.note(f"of {len(ground.fleet.left_open)} streams that clients left in silence are open", open_still, at_most=0)
    await ground.right_on_all()
    run.note("all pods list each lane where it is", time.monotonic() - began, "s", at_most=at_most)
    run.note("lanes that counted as missing at any time, for an alert too", ground.most_missing, at_most=0)


async def move_some(ground: Ground) -> None:
    """Send some of the clients to other pods, half of them in silence."""
    for number, device in enumerate(random.sample(ground.fleet.devices, round(MOVING_SHARE * len(ground.names)))):
        device.move((device.home + 1) % 3, silently=number % 2 == 0)
    await asyncio.sleep(1)


async def flushed(run: Run) -> None:
    """Let Redis forget everything."""
    async with served(run) as ground:
        await asyncio.to_thread(ground.cluster.redis.client.flushall)
        await mended(run, ground, WHOLE_SECONDS)


async def redis_frozen(run: Run) -> None:
    """Let Redis stand still."""
    async with served(run) as ground:
        ground.cluster.redis.freeze()
        try:
            await move_some(ground)
            await asyncio.sleep(FROZEN_SECONDS - 1)
        finally:
            ground.cluster.redis.thaw()
        await mended(run, ground, AGREED_SECONDS)


async def redis_restarted(run: Run) -> None:
    """Let Redis begin anew with nothing."""
    async with served(run) as ground:
        await asyncio.to_thread(ground.cluster.redis.kill)
        ground.cluster.redis.forget()
        await move_some(ground)
        await asyncio.sleep(DOWN_SECONDS - 1)
        await asyncio.to_thread(ground.cluster.redis.start)
        await mended(run, ground, AGREED_SECONDS)


async def redis_failed_over(run: Run) -> None:
    """Promote a replica; the old primary goes on for a while with the pods that are connected to it."""
    async with served(run) as ground:
        cluster = ground.cluster
        old = cluster.redis
        await asyncio.to_thread(cluster.standby.start)
        await asyncio.to_thread(cluster.fail_over)
        await move_some(ground)
        await asyncio.sleep(DOWN_SECONDS - 1)
        await asyncio.to_thread(old.client.replicaof, HOST, str(cluster.redis.port))
        await mended(run, ground, AGREED_SECONDS)
