"""Pods that are killed or stand still while thousands of clients are on them."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from streams.roster.keys import prefix
from streams.roster.tally.decisions import ROUND_SECONDS
from streams.roster.tally.worker import LOCK_SECONDS
from tests.scale.fleet import names_of
from tests.scale.ground import Ground
from tests.scale.scenario import Run
from tests.support.redis_server import CHANNEL

UNKNOWN_SECONDS = 20.0
# Longer than a pod may be silent, and shorter than MISSING_SECONDS.
AWAY_SECONDS = 25.0
FROZEN_SECONDS = 60.0
# It joins the others anew, and claims all that it has within three seconds.
CLOSED_SECONDS = 10.0
BACK_SECONDS = 60.0
LOCK_MS = round(1000 * LOCK_SECONDS)
TAKEN_OVER_SECONDS = 2 * ROUND_SECONDS


async def killed(run: Run) -> None:
    """Kill the pod that sums up and has most of the clients; these stay away for a while, then come to the others."""
    names = names_of(run.size * 7 // 5, 7)
    # Of each store five lanes are on the pod that is killed, and one on each other: no store is dark.
    homes = {name: max(0, number % 7 - 4) for number, name in enumerate(names)}
    async with run.standing(homes) as ground:
        run.note("lanes, of them on the pod that is killed", sum(home == 0 for home in homes.values()))
        run.note("all clients connect and are on the roster", await ground.connect(), "s")
        await ground.expect_all()
        count = sum(home == 0 for home in homes.values())
        await asyncio.to_thread(let_sum_up, ground, 0)
        ground.most.clear()
        ground.fleet.coming.clear()
        ground.fleet.open_places.remove(0)
        began = time.monotonic()
        await asyncio.to_thread(ground.cluster.seats[0].kill)
        seconds = await ground.until("its clients to be unknown", lambda totals: totals.unknown == count, 60)
        run.note("its clients are unknown", seconds, "s", at_most=UNKNOWN_SECONDS)
        await ground.same_on_all()
        await asyncio.sleep(max(0.0, began + AWAY_SECONDS - time.monotonic()))
        ground.fleet.coming.set()
        seconds = await ground.until("all to be connected elsewhere", ground.whole, BACK_SECONDS)
        run.note("all are connected elsewhere after they may come back", seconds, "s")
        run.note("the roster agrees with the pods", await ground.agree(), "s")
        run.note("all pods list each lane where it is", await ground.right_on_all(), "s")
        run.note("lanes that counted as missing at any time, for an alert too", ground.most_missing, at_most=0)
        run.note("stores that counted as dark at any time", ground.most["dark_stores"], at_most=0)
        run.note("lanes more than there are, at any time", ground.most["lanes"] - len(names), at_most=0)


async def frozen(run: Run) -> None:
    """Freeze a pod for a minute; most of its clients go elsewhere, and most of those without closing anything."""
    homes = {name: number % 3 for number, name in enumerate(names_of(run.size, 10))}
    async with run.standing(homes) as ground:
        await ground.connect()
        await ground.expect_all()
        ground.most.clear()
        fleet = ground.fleet
        there = fleet.on(0)
        run.note("clients of the pod that is frozen", len(there))
        fleet.open_places.remove(0)
        with ground.cluster.seats[0].pod.standing_still():
            began = time.monotonic()
            random.shuffle(there)
            stay, closing, silent = (
                there[: len(there) // 5],
                there[len(there) // 5 : len(there) // 3],
                there[len(there) // 3 :],
            )
            for number, device in enumerate(closing + silent):
                device.move(1 + number % 2, silently=device in silent)
            ground.say(f"{len(silent)} went elsewhere in silence, {len(closing)} closed, {len(stay)} stay")
            expected = len(homes) - len(stay)
            seconds = await ground.until("those that went", lambda totals: totals.connected == expected, 60)
            run.note("who went is connected elsewhere, and who stayed is unknown", seconds, "s")
            await asyncio.sleep(max(0.0, began + FROZEN_SECONDS - time.monotonic()))
        woke = time.monotonic()
        ended = await asyncio.wait_for(
            asyncio.gather(*(stream.ended for stream in fleet.left_open)), 2 * CLOSED_SECONDS
        )
        run.note("it has closed what is no longer its own", time.monotonic() - woke, "s", at_most=CLOSED_SECONDS)
        run.note("streams that it closed so", len(ended))
        run.note("of them not as evicted", sum(reason != "evicted" for reason in ended), at_most=0)
        await ground.until("all to be connected", ground.whole, BACK_SECONDS)
        run.note("the roster is whole, and agrees with the pods", await _agreed(ground, woke), "s")
        run.note("who stayed and lost its stream", sum(device.connects > 1 for device in stay), at_most=0)
        await ground.right_on_all()
        run.note("all pods list each lane where it is", time.monotonic() - woke, "s")
        run.note("lanes that counted as missing at any time, for an alert too", ground.most_missing, at_most=0)


async def _agreed(ground: Ground, since: float) -> float:
    await ground.agree()
    return time.monotonic() - since


def let_sum_up(ground: Ground, place: int) -> None:
    """Let a pod be the one that sums up, which is the worst one to lose."""
    client: Any = ground.cluster.redis.client
    name = f'"podName":"{ground.cluster.seats[place].name}"'.encode()
    (life,) = [life for life, about in client.hgetall(f"{prefix(CHANNEL)}pods").items() if name in about]
    client.set(f"{prefix(CHANNEL)}lock", life, px=LOCK_MS)
    time.sleep(TAKEN_OVER_SECONDS)
    assert client.get(f"{prefix(CHANNEL)}lock") == life
