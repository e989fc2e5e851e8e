"""All that is looked at, at once, each within its time; what fails is one finding and stops nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import resource
import time
from collections.abc import Awaitable, Callable, Iterable

from redis.exceptions import NoPermissionError

from streams.broker.clients import LINK_ERRORS
from streams.conf import SPARE_DESCRIPTORS, StreamSettings
from streams.doctor import probes, server
from streams.doctor.findings import Finding, Report, bad, report, skipped
from streams.doctor.front_door import CHECK as FRONT_DOOR
from streams.doctor.front_door import judge_stream
from streams.doctor.process import Said, judge_descriptors, judge_settings
from streams.doctor.roles import Role
from streams.doctor.stream_probe import new_name, open_stream
from streams.doctor.tokens.looking import look_at_tokens
from streams.doctor.tokens.opening import choose_opening
from streams.locks.fetching import FETCH_SECONDS

PROBE_SECONDS = 5.0
FRONT_DOOR_TIMEOUT_SECONDS = 15.0
TOKENS_SECONDS = FETCH_SECONDS + 5.0
# In the order in which they are shown.
OF_REDIS = ("role", "rights", "canary", "journal", "persistence", "memory", "clock", "pods")
NO_REDIS = "there is no Redis"

Look = Callable[[], Awaitable[Iterable[Finding]]]


async def examine(
    conf: StreamSettings, url: str, said: list[Said], descriptors_id: str, role: Role = Role.POD, token: str = ""
) -> Report:
    """Look at everything; `url` is a front door's, or empty, and `said` is what Django's checks say.

    Of these, the ones with `descriptors_id` are about file descriptors. `role` is that of the user of Redis.
    `token` is sent with the stream; without one it is made here where that can be done.
    """
    of_redis, of_tokens, of_door = await asyncio.gather(
        _of_redis(conf, role),
        _within(TOKENS_SECONDS, "locks", lambda: look_at_tokens(conf, token)),
        _of_front_door(conf, url, token),
    )
    about = [one for one in said if one.id == descriptors_id]
    of_settings = judge_settings(one for one in said if one not in about)
    return report(
        [*of_redis, judge_descriptors(_descriptors(), SPARE_DESCRIPTORS, about), *of_settings, *of_tokens, *of_door]
    )


async def _of_redis(conf: StreamSettings, role: Role) -> list[Finding]:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reached = await probes.reach(conf)
    except Exception as error:
        remedy = "Is it running, and does REDIS_URL name it, with its user and password?"
        return [
            bad("redis", f"{probes.place(conf)}: {_why(error)}", remedy),
            *(skipped(name, NO_REDIS) for name in OF_REDIS),
        ]
    looks = _looks_at_redis(conf, reached, role)
    found = await asyncio.gather(*(_within(PROBE_SECONDS, name, looks[name]) for name in OF_REDIS))
    first = server.judge_version(probes.place(conf), reached.server, reached.seconds)
    return [first, *itertools.chain.from_iterable(found)]


def _looks_at_redis(conf: StreamSettings, reached: probes.Reached, role: Role) -> dict[str, Look]:
    version, standing, durable_log = server.version_of(reached.server), reached.standing, conf.durable_log
    return {
        "role": _judged(lambda: server.judge_role(standing.role, standing.primary)),
        "rights": lambda: probes.look_at_rights(conf, version, role),
        "canary": lambda: probes.look_at_canary(conf),
        "journal": lambda: probes.look_at_journal(conf, role),
        "persistence": _judged(lambda: server.judge_persistence(reached.persistence, durable_log=durable_log)),
        "memory": _judged(lambda: server.judge_memory(reached.memory)),
        "clock": lambda: probes.look_at_clock(conf),
        "pods": lambda: probes.look_at_pods(conf),
    }


def _judged(judge: Callable[[], Finding]) -> Look:
    """Return a look at what is known already; what is told in another way than expected is one line, too."""

    async def look() -> list[Finding]:
        return [judge()]

    return look


async def _of_front_door(conf: StreamSettings, url: str, token: str) -> list[Finding]:
    if not url:
        return [skipped(FRONT_DOOR, "--url names none")]
    look = functools.partial(_look_at_front_door, conf, url, token)
    return await _within(FRONT_DOOR_TIMEOUT_SECONDS, FRONT_DOOR, look)


async def _look_at_front_door(conf: StreamSettings, url: str, token: str) -> Iterable[Finding]:
    opening = choose_opening(conf, token, new_name(), time.time())
    if opening.why_not:
        return [skipped(FRONT_DOOR, opening.why_not)]
    seen = await asyncio.to_thread(open_stream, url, opening.name, durable=conf.durable_log, token=opening.token)
    # Who was not greeted is in no roster.
    if not seen.error and not seen.refused:
        with contextlib.suppress(*LINK_ERRORS):
            await probes.forget(conf, opening.name)
    return judge_stream(url, seen)


async def _within(seconds: float, name: str, look: Look) -> list[Finding]:
    """Return what one look finds; a line about why not where it finds nothing."""
    try:
        async with asyncio.timeout(seconds):
            return list(await look())
    except TimeoutError:
        return [bad(name, f"no answer within {seconds:g} s", "Look at Redis, and at the network to it.")]
    except NoPermissionError:
        return [skipped(name, "Redis refuses it to its user, as the line about rights says")]
    except LINK_ERRORS as error:
        return [bad(name, _why(error), "Look at Redis, and at the network to it.")]
    # Whatever it is, the other findings are to be read.
    except Exception as error:
        return [bad(name, f"could not be looked at: {_why(error)}", "Report this line; the other checks hold.")]


def _why(error: Exception) -> str:
    lines = str(error).split("\n")
    return lines[0] or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)


def _descriptors() -> int | None:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
