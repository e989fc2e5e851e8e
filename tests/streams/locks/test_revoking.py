from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import redis.asyncio
from channels.layers import get_channel_layer

from streams.auth.revocations import Revocation
from streams.broker.clients import async_client
from streams.locks.revoking import REVOKED, announcement, read_revocations, revoke
from streams.roster.messages import Told
from tests.support.redis_server import RedisServer

CHANNEL = "revoking-tests"
NOW = time.time()


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    client = async_client(redis_server.url)
    await client.delete(CHANNEL + REVOKED)
    yield client
    await client.aclose()


async def test_revoke_is_read_by_whoever_comes_later(client: redis.asyncio.Redis):
    entries = [
        Revocation(NOW + 60, jti="one"),
        Revocation(NOW + 60, sub="lane", issued_before=NOW),
        Revocation(NOW + 90, sub="lane", issued_before=NOW - 10),
    ]
    for entry in [*entries, entries[0]]:
        await revoke(client, CHANNEL, entry)
    assert sorted(await read_revocations(client, CHANNEL, NOW), key=repr) == sorted(entries, key=repr)


async def test_read_revocations_clears_away_what_has_ended(client: redis.asyncio.Redis):
    await revoke(client, CHANNEL, Revocation(NOW + 60, jti="ended"))
    await revoke(client, CHANNEL, Revocation(NOW + 90, jti="lasting"))
    found: Any = client.hset(CHANNEL + REVOKED, "nothing of ours", "1")
    await found
    assert [entry.jti for entry in await read_revocations(client, CHANNEL, NOW + 60)] == ["lasting"]
    left: Any = client.hlen(CHANNEL + REVOKED)
    assert await left == 2, "what somebody else put there stays"


async def test_announcement_is_what_the_channel_layer_brings():
    entry = Revocation(NOW + 60, sub="lane", issued_before=NOW)
    layer: Any = get_channel_layer()
    told = msgspec.convert(layer.deserialize(announcement(entry)), Told)
    assert told.revoked == [entry]
