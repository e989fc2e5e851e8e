"""One lane among others: one that comes and goes all the time, and one that an operator looks for at night."""

from __future__ import annotations

import asyncio
import functools
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.scale.ground import Ground
from tests.scale.scenario import Run
from tests.support.http import open_stream
from tests.support.pods import environment, run_manage

FLAPPING = "STORE007-LANE03"
FLAPS_A_MINUTE = 100
FLAPPING_SECONDS = 60.0
STORM_SECONDS = 10.0
QUIET_SECONDS = 15.0
TRACE_KEPT = 50
# Claimed and noted where it connects, released and noted where it ends; and summed up.
SCRIPTS_A_FLAP = 6
# Three pods say what they have every twentieth of a second or so, in a few scripts; fewer than there are flaps.
SCRIPTS_A_SECOND = 600
# A line for each connect, and one for each end.
LINES_A_FLAP = 2
# An operator waits for no longer.
ANSWER_SECONDS = 1.0
LANES_A_STORE = 6
STORES = 10
ASKED_TIMES = 5


class Redis(NamedTuple):
    """What Redis did by a moment: commands, also those in scripts, scripts, and bytes that it was sent."""

    at: float
    commands: float
    scripts: float
    bytes_in: float

    @classmethod
    def now(cls, ground: Ground) -> Redis:
        client: Any = ground.cluster.redis.client
        stats, scripts = client.info("stats"), client.info("commandstats")["cmdstat_evalsha"]["calls"]
        read = stats["total_commands_processed"], scripts, stats["total_net_input_bytes"]
        return cls(time.monotonic(), *map(float, read))

    def since(self, before: Redis) -> Redis:
        """Return what it did for each second between two moments."""
        seconds = self.at - before.at
        return Redis(seconds, *((now - then) / seconds for now, then in zip(self[1:], before[1:], strict=True)))


async def flapping(run: Run) -> None:
    """Let one lane come and go, first as a bad line does, then as fast as it can."""
    homes = {f"STORE{number:03}-LANE01": number % 3 for number in range(run.size)}
    async with run.standing(homes) as ground:
        await ground.connect()
        before = Redis.now(ground)
        await asyncio.sleep(QUIET_SECONDS)
        quiet = Redis.now(ground).since(before)
        run.note("scripts in Redis while nothing happens", quiet.scripts, "a second")
        run.note("commands in Redis, also in scripts, while nothing happens", quiet.commands, "a second")
        await flap(run, ground, "100 a minute", FLAPPING_SECONDS, 60 / FLAPS_A_MINUTE, quiet)
        await flap(run, ground, "as fast as it can", STORM_SECONDS, 0.0, quiet)
        kept: Any = ground.cluster.redis.client.xlen(f"events-to-store:trace:{FLAPPING}")
        run.note("entries in its trace", float(kept), at_most=TRACE_KEPT)
        duels = await asyncio.to_thread(all_duels, ground)
        run.note("duels that were seen in it", duels, at_most=0)
        trace = await asyncio.to_thread(ground.seats[0].pod.json, f"/api/v1/clients/{FLAPPING}/trace")
        run.note("entries that an operator is shown", len(trace["entries"]), at_most=TRACE_KEPT + 10)
        await ground.agree()


async def flap(run: Run, ground: Ground, title: str, seconds: float, pause: float, quiet: Redis) -> None:
    """Connect to one pod after the other and leave again, for so long; note what that cost."""
    lines, before = log_lines(ground), Redis.now(ground)
    until, flaps = time.monotonic() + seconds, 0
    for place in itertools.cycle(range(3)):
        if time.monotonic() > until:
            break
        flaps += 1
        stream = await open_stream(ground.cluster.port(place), FLAPPING)
        await asyncio.sleep(pause / 2)
        await stream.close()
        await asyncio.sleep(pause / 2)
    # The last end is written soon.
    await asyncio.sleep(1)
    rate = Redis.now(ground).since(before)
    a_flap = rate.at / flaps
    run.note(f"{title}: flaps", flaps)
    scripts = (rate.scripts - quiet.scripts) * a_flap
    run.note(f"{title}: scripts in Redis for each", scripts, at_most=SCRIPTS_A_FLAP)
    run.note(f"{title}: commands for each, also in scripts", (rate.commands - quiet.commands) * a_flap)
    run.note(f"{title}: sent to Redis for each", (rate.bytes_in - quiet.bytes_in) * a_flap, "bytes")
    run.note(f"{title}: scripts in Redis", rate.scripts, "a second", at_most=SCRIPTS_A_SECOND)
    said = log_lines(ground) - lines
    run.note(f"{title}: lines in the logs for each", said / flaps, at_most=LINES_A_FLAP + 0.1)


def all_duels(ground: Ground) -> float:
    return sum(seat.pod.metric('sse_closes_total{reason="duel"}') for seat in ground.seats)


def log_lines(ground: Ground) -> int:
    return sum(len(seat.pod.log.splitlines()) for seat in ground.seats)


async def night(run: Run) -> None:
    """Find out what is wrong with a lane that is switched off, from any pod, by a page, an API call or a command."""
    names = [f"STORE{store:03}-LANE{lane:02}" for store in range(1, STORES + 1) for lane in range(1, LANES_A_STORE + 1)]
    homes = {name: number % 3 for number, name in enumerate(names)}
    async with run.standing(homes, MISSING_SECONDS=10) as ground:
        await ground.connect()
        await ground.expect_all()
        (device,) = [device for device in ground.fleet.devices if device.name == FLAPPING]
        await device.stop()
        await ground.until("it to be missing", lambda totals: totals.missing == 1, 40)
        for target in (
            "/admin",
            "/admin/stores/STORE007",
            f"/admin/clients/{FLAPPING}",
            f"/api/v1/clients/{FLAPPING}",
            f"/api/v1/clients/{FLAPPING}/trace",
            "/api/v1/clients?state=missing",
            "/api/v1/stores?state=partial",
        ):
            await asked(run, target, [functools.partial(ask, seat.pod, target) for seat in ground.seats])
        env = environment(REDIS_URL=ground.cluster.redis.url)
        for words in (("lane", FLAPPING), ("trace", FLAPPING), ("lanes", "--state", "missing")):
            await asked(run, f"manage.py {' '.join(words)}", [functools.partial(command, env, *words)])


async def asked(run: Run, title: str, ways: list[Callable[[], str]]) -> None:
    """Ask in each way a few times; the answer has to name the lane, or its store."""
    seconds = []
    for way in ways * ASKED_TIMES:
        began = time.monotonic()
        answer = await asyncio.to_thread(way)
        seconds.append(time.monotonic() - began)
        assert "missing" in answer or "offline" in answer or "partial" in answer, f"{title} does not say it: {answer}"
        assert "LANE03" in answer, f"{title} does not name it: {answer}"
    run.note(f"{title}, median", statistics.median(seconds), "s", at_most=ANSWER_SECONDS)
    run.note(f"{title}, longest", max(seconds), "s")


def ask(pod: Any, target: str) -> str:
    answer = pod.fetch(target)
    assert answer.status == 200, answer
    return str(answer.body.decode())


def command(env: dict[str, str], *words: str) -> str:
    done = run_manage(*words, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout
