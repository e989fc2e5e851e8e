"""A reply of Redis that is longer than its limit is given up, and the next command goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf

import pytest
import redis.asyncio

from streams.broker.clients import async_client
from streams.broker.journal.replies import ReplyLimit, ReplyTooLarge
from tests.support.redis_server import RedisServer

MIB = 1024 * 1024


@pytest.fixture
def limit() -> ReplyLimit:
    return ReplyLimit()


@pytest.fixture
async def client(redis_server: RedisServer, limit: ReplyLimit) -> AsyncIterator[redis.asyncio.Redis]:
    client = async_client(redis_server.url, reply_limit=limit)
    yield client
    await client.aclose()


async def test_a_limit_holds_for_each_reply_alone(client: redis.asyncio.Redis, limit: ReplyLimit, client_name: str):
    limit.bytes = MIB
    await client.set(client_name, b"x" * (MIB // 2))
    for _ in range(5):
        assert await client.get(client_name) == b"x" * (MIB // 2)


async def test_a_reply_over_the_limit_is_given_up_and_the_next_command_goes_on(
    client: redis.asyncio.Redis, limit: ReplyLimit, client_name: str
):
    await client.set(client_name, b"x" * (4 * MIB))
    limit.bytes = MIB
    with pytest.raises(ReplyTooLarge):
        await client.get(client_name)
    async with client.pipeline(transaction=False) as commands:
        commands.time()
        commands.get(client_name)
        with pytest.raises(ReplyTooLarge):
            await commands.execute()
    assert await client.ping()
    limit.bytes = inf
    assert await client.get(client_name) == b"x" * (4 * MIB)
