"""Traces in a real Redis, and a process that is no pod among real ones."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio
from channels.layers import channel_layers

from streams.broker.clients import async_client, pool_options
from streams.conf import StreamSettings
from streams.errors import InvalidName, TooManyTraces
from streams.roster.keys import prefix
from streams.roster.tracing import store
from streams.roster.tracing.entries import Kind, TraceEntry
from streams.roster.tracing.recorder import MAX_TRACED, Noted
from streams.roster.tracing.store import (
    KEPT_SECONDS,
    READ_EVENTS,
    WRITE,
    batch,
    read,
    read_traced,
    trace_on,
)
from streams.roster.tracing.trace import Visitor, start_trace, trace
from streams.roster.worker import WRITE_SECONDS
from tests.conftest import StartPod
from tests.support.http import open_stream
from tests.support.redis_server import CHANNEL, RedisServer

CLOSED = TraceEntry(Kind.CLOSED, "pod-1", "2026-11-26T14:00:00.000Z", "11111111.1", reason="client-closed")


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    async with async_client(redis_server.url) as client:
        yield client


async def write(client: redis.asyncio.Redis, entries: list[tuple[str, TraceEntry]], kept: int = 50) -> None:
    noted = [Noted(name, 0.0, entry) for name, entry in entries]
    await client.register_script(WRITE)(args=[KEPT_SECONDS, batch(CHANNEL, noted, kept)])


async def test_write_keeps_entries_for_a_day_in_their_order(client: redis.asyncio.Redis, client_name: str):
    event = TraceEntry(Kind.EVENT, "pod-1", "2026-11-26T14:00:00.001Z", fate="written", user_agent="ü" * 200)
    await write(client, [(client_name, CLOSED), (client_name, event), (f"{client_name}-other", CLOSED)])
    stored = await read(client, CHANNEL, client_name)
    assert stored.entries == [CLOSED, event]
    for key in (f"{CHANNEL}:trace:{client_name}", f"{CHANNEL}:traced:{client_name}"):
        assert KEPT_SECONDS - 60 < await client.ttl(key) <= KEPT_SECONDS


async def test_write_lets_go_of_the_oldest(client: redis.asyncio.Redis, client_name: str):
    await write(client, [(client_name, CLOSED)] * 400)
    assert await client.xlen(f"{CHANNEL}:trace:{client_name}") == 50


async def test_write_takes_refusals_of_known_lanes_alone(client: redis.asyncio.Redis, client_name: str):
    """A stranger who makes names up leaves no key, whatever stands where the lanes are known."""
    refused = TraceEntry(Kind.REFUSED, "pod-1", "2026-11-26T14:00:00.000Z", reason="token-none", count=1)
    store = client_name.replace("-", "")
    known, other, foreign = f"{store}A-LANE01", f"{store}A-LANE02", f"{store}B-LANE01"
    await client.hset(f"{prefix(CHANNEL)}known:{store}A", known, "20000 1 0")
    await client.set(f"{prefix(CHANNEL)}known:{store}B", "no hash", ex=60)
    noted = [Noted(name, 0.0, refused, of_known=True) for name in (foreign, other, known, known)]
    await client.register_script(WRITE)(args=[KEPT_SECONDS, batch(CHANNEL, noted, 50)])
    assert (await read(client, CHANNEL, known)).entries == [refused, refused]
    assert not await client.exists(f"{CHANNEL}:trace:{other}", f"{CHANNEL}:trace:{foreign}")


async def test_read_leaves_out_what_is_of_another_version(client: redis.asyncio.Redis, client_name: str):
    key = f"{CHANNEL}:trace:{client_name}"
    for entry in ('{"kind":"teleported"}', "no JSON", json.dumps({"kind": "closed", "more": 1})):
        await client.xadd(key, {"entry": entry})
    await client.xadd(key, {"another": "field"})
    assert [entry.kind for entry in (await read(client, CHANNEL, client_name)).entries] == [Kind.CLOSED]


async def test_read_says_that_there_are_more_events(client: redis.asyncio.Redis, client_name: str):
    event = TraceEntry(Kind.EVENT, "pod-1", "2026-11-26T14:00:00.000Z", fate="written")
    await write(client, [(client_name, event)] * (READ_EVENTS + 500))
    entries = (await read(client, CHANNEL, client_name)).entries
    assert len(entries) == READ_EVENTS + 1
    assert entries[-1].kind is Kind.LEFT_OUT


async def test_read_of_many_events_of_another_version(
    client: redis.asyncio.Redis, client_name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "READ_EVENTS", 2)
    for _ in range(2):
        await client.xadd(f"{CHANNEL}:traced:{client_name}", {"entry": '{"kind":"teleported"}'})
    await write(client, [(client_name, CLOSED)])
    assert (await read(client, CHANNEL, client_name)).entries == [CLOSED]


async def test_pod_writes_together_what_it_notes_of_many(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    names = [f"{client_name}-{number}" for number in range(100)]
    began = time.monotonic()
    for name in names:
        await (await open_stream(pod.port, name)).close()
    async with async_client(mortal_redis.url) as client:

        async def noted() -> list[bytes]:
            found: list[Any] = [await client.xrange(f"{CHANNEL}:trace:{name}") for name in names]
            return [entry_id for entries in found for entry_id, _fields in entries]

        while len(ids := await noted()) < 2 * len(names):
            assert time.monotonic() < began + 20
        seconds = time.monotonic() - began
    # A script does all that it does in one moment.
    moments = {entry_id.partition(b"-")[0] for entry_id in ids}
    assert len(moments) <= 1 + seconds / WRITE_SECONDS


async def test_trace_on_is_for_so_many_clients_and_minutes_at_most(mortal_redis: RedisServer):
    mortal_redis.start()
    async with async_client(mortal_redis.url) as client:
        for number in range(MAX_TRACED):
            await trace_on(client, CHANNEL, f"c{number}", 10_000)
        with pytest.raises(TooManyTraces, match="20 clients are traced already"):
            await trace_on(client, CHANNEL, "one more", 1)
        await trace_on(client, CHANNEL, "c0", 1)
        now = (await read(client, CHANNEL, "c0")).now
        left = await read_traced(client, CHANNEL, now)
        assert len(left) == MAX_TRACED
        assert 50 < left["c0"] <= 60
        assert 3590 < left["c1"] <= 3600
        await trace_on(client, CHANNEL, "c0", 0)
        await client.hset(f"{CHANNEL}:tracing", "c1", 1)
        for number in range(2):
            await trace_on(client, CHANNEL, f"later{number}", 1)
        assert not {"c0", "c1"} & (await read_traced(client, CHANNEL, now)).keys(), "what is over makes room"


def move_layer(settings: Any, url: str) -> None:
    """Let the channel layer be on another Redis."""
    layer = settings.CHANNEL_LAYERS["default"]
    moved = layer | {"CONFIG": layer["CONFIG"] | {"hosts": [pool_options(url)]}}
    settings.CHANNEL_LAYERS = {"default": moved}
    channel_layers.backends.clear()


@pytest.fixture
async def visitor(conf: StreamSettings, settings: Any) -> AsyncIterator[Visitor]:
    """A process that asks pods which read the same Redis."""
    move_layer(settings, conf.redis_url)
    yield Visitor(conf.redis_url, conf.redis_channel)
    channel_layers.backends.clear()


async def test_visitor_traces_and_closes_like_a_pod(
    visitor: Visitor, start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    pod = start_pod(REDIS_URL=redis_server.url)
    pod.wait_log("Hearing the other pods")
    async with await open_stream(pod.port, client_name) as stream:
        async with visitor.present():
            entries = await trace(visitor, client_name, 60)
            # A pod that is slow to answer is named beside it.
            (opened,) = [entry for entry in entries if entry.kind is not Kind.UNANSWERED]
            assert (opened.kind, opened.pod_name) == (Kind.OPENED, "pod-under-test")
            with pytest.raises(InvalidName):
                await start_trace(visitor, "no name", 1)
            await start_trace(visitor, client_name, 1)
            visitor.close_everywhere([client_name])
        (farewell,) = await stream.rest()
        assert farewell.json()["reason"] == "operator"

    async def kinds() -> list[Kind]:
        async with visitor.present():
            return [entry.kind for entry in await trace(visitor, client_name, 60)]

    # Its end is in Redis a moment later.
    found: list[Kind] = []
    while found[1:] != [Kind.CLOSED]:
        found = await kinds()
    assert found == [Kind.OPENED, Kind.CLOSED]
    async with visitor.present():
        await start_trace(visitor, client_name, 0)


async def test_visitor_says_that_it_cannot_hear_the_pods(
    visitor: Visitor, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    move_layer(settings, "redis://127.0.0.1:1")
    monkeypatch.setattr("streams.roster.tracing.trace.JOIN_SECONDS", 0.2)
    with pytest.raises(TimeoutError):
        async with visitor.present():
            pass
