"""What is asked of Redis: each probe opens its own connection, and judges nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError

from streams.broker.canary import canary_channel, canary_pattern
from streams.broker.clients import async_client
from streams.broker.journal.reader import JOURNAL_LENGTH, JOURNAL_SUFFIX
from streams.broker.redis_url import options_of
from streams.broker.side import Standing, read_standing
from streams.conf import StreamSettings, redis_place
from streams.doctor import pods, rights, server
from streams.doctor.findings import Finding, bad, well
from streams.doctor.roles import Role
from streams.doctor.tokens import judging as tokens
from streams.roster.keys import prefix
from streams.roster.lives import read_lives
from streams.roster.reading.reader import RosterReader

CONNECT_SECONDS = 2.0
REPLY_SECONDS = 2.0
CANARY_SECONDS = 2.0
FORGET_TRIES = 20
FORGET_PAUSE_SECONDS = 0.05


class Reached(NamedTuple):
    """What Redis says of itself at once; empty where its user may not ask."""

    seconds: float
    server: server.Fields
    persistence: server.Fields
    memory: server.Fields
    standing: Standing


async def reach(conf: StreamSettings) -> Reached:
    """Ask Redis for all that it says of itself."""
    async with _connection(conf) as connection:
        asked = time.monotonic()
        ping = await _ask(connection, ("PING",))
        if isinstance(ping, Exception) and not isinstance(ping, NoPermissionError):
            raise ping
        seconds = time.monotonic() - asked
        sections = ("server", "persistence", "memory", "replication")
        about, persistence, memory, history = [await _ask(connection, ("INFO", section)) for section in sections]
        role = await _ask(connection, ("ROLE",))
    standing = read_standing([role, about, history])
    return Reached(seconds, _fields(about), _fields(persistence), _fields(memory), standing)


async def look_at_rights(conf: StreamSettings, version: tuple[int, ...], role: Role = Role.POD) -> list[Finding]:
    """Call all that a role calls."""
    refusals = {}
    async with _connection(conf) as connection:
        for right in rights.rights(conf.redis_channel, canary_pattern(conf.redis_channel), version, role):
            answer = await _ask(connection, right.call, pushed=right.command in rights.SUBSCRIPTIONS)
            if isinstance(answer, Exception) and rights.is_refusal(str(answer)):
                refusals[right.command] = str(answer)
    user = options_of(conf.redis_url).get("username") or "default"
    return [rights.judge(user, conf.redis_channel, refusals, role)]


async def look_at_canary(conf: StreamSettings) -> list[Finding]:
    """Publish where pods do, and wait for it where they do."""
    mine = canary_channel(conf.redis_channel, f"doctor-{secrets.token_hex(4)}")
    client = _client(conf)
    try:
        async with client, client.pubsub() as listener, asyncio.timeout(CANARY_SECONDS):
            await listener.psubscribe(canary_pattern(conf.redis_channel))
            await _next(listener, "psubscribe")
            asked = time.monotonic()
            await client.publish(mine, "[]")
            while await _next(listener, "pmessage") != mine.encode():
                pass
    except TimeoutError:
        says = f"what is published does not come back within {CANARY_SECONDS:g} s"
        return [bad("canary", says, "Look at Redis: is it overloaded, or a cluster or a proxy without patterns?")]
    return [well("canary", f"what is published comes back after {1000 * (time.monotonic() - asked):.0f} ms")]


async def look_at_journal(conf: StreamSettings, role: Role = Role.POD) -> list[Finding]:
    """Ask how long the journal is."""
    # XINFO shows entries, which only a pod may read.
    question = ("XINFO", "STREAM") if role is Role.POD else ("XLEN",)
    async with _connection(conf) as connection:
        about = await _ask(connection, (*question, conf.redis_channel + JOURNAL_SUFFIX))
    if isinstance(about, Exception):
        if "no such key" not in str(about):
            raise about
        length = None
    else:
        length = about if isinstance(about, int) else int(about[b"length"])
    return [server.judge_journal(length, durable_log=conf.durable_log, usual_length=JOURNAL_LENGTH)]


async def look_at_clock(conf: StreamSettings) -> list[Finding]:
    """Compare Redis' clock with this machine's."""
    async with _connection(conf) as connection:
        began, asked = time.time(), time.monotonic()
        told = await _tell(connection, ("TIME",))
        doubt = (time.monotonic() - asked) / 2
    return [server.judge_clock(_seconds(told) - began - doubt, doubt)]


async def look_at_pods(conf: StreamSettings) -> Iterator[Finding]:
    """Read what all pods say of themselves."""
    async with _connection(conf) as connection:
        lives = await _tell(connection, ("HGETALL", prefix(conf.redis_channel) + "pods"))
        now = _seconds(await _tell(connection, ("TIME",)))
    heard = read_lives(round(1000 * now), [*itertools.chain.from_iterable(lives.items())])
    return itertools.chain(pods.judge_pods(heard, now), tokens.judge_pods(conf, heard, now))


async def forget(conf: StreamSettings, name: str) -> None:
    """Take a lane out of the roster, once its pod has noted its end; it has never been anybody's."""
    async with _client(conf) as client:
        reader = RosterReader(client, conf.redis_channel)
        for _ in range(FORGET_TRIES):
            lane = await reader.lane(name)
            if lane is not None and lane.last_seen_at:
                break
            await asyncio.sleep(FORGET_PAUSE_SECONDS)
        # One that is still connected then is forgotten when it ends.
        await reader.retire(name)


def place(conf: StreamSettings) -> str:
    """Return where Redis is, for people to read."""
    return redis_place(conf.redis_url)


def _client(conf: StreamSettings) -> redis.asyncio.Redis:
    return async_client(conf.redis_url, connect_seconds=CONNECT_SECONDS, reply_seconds=REPLY_SECONDS)


@contextlib.asynccontextmanager
async def _connection(conf: StreamSettings) -> AsyncIterator[Any]:
    """Open a connection whose answers nothing changes."""
    async with _client(conf) as client:
        connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            yield connection
        finally:
            await connection.disconnect()


async def _ask(connection: Any, words: tuple[str, ...], *, pushed: bool = False) -> Any:
    """Return an answer, or the error that is one; before one that is `pushed`, others and messages may come."""
    await connection.send_command(*words)
    try:
        answer = await connection.read_response(push_request=pushed)
        while pushed and answer[0] != words[0].lower().encode():
            answer = await connection.read_response(push_request=True)
        return answer
    except redis.ResponseError as error:
        return error


async def _tell(connection: Any, words: tuple[str, ...]) -> Any:
    answer = await _ask(connection, words)
    if isinstance(answer, Exception):
        raise answer
    return answer


async def _next(listener: Any, kind: str) -> bytes:
    """Return the channel of the next message of a kind."""
    while True:
        message = await listener.get_message(timeout=None)
        if message is not None and message["type"] == kind:
            channel: bytes = message["channel"]
            return channel


def _fields(answer: Any) -> dict[str, str]:
    return {} if isinstance(answer, Exception) else server.fields(answer.decode(errors="replace"))


def _seconds(told: list[bytes]) -> float:
    whole, microseconds = told
    return int(whole) + int(microseconds) / 1e6
