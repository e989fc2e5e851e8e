from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from streams.roster.reading.reader import RosterReader
from tests.support import http
from tests.support.redis_server import CHANNEL, RedisServer


@pytest.fixture(autouse=True)
async def no_stream_left_open() -> AsyncIterator[None]:
    """Close what a test that failed left open, so that its failure is the only one."""
    yield
    while http.left_open:
        await http.left_open.pop().close()


@pytest.fixture
async def reader(mortal_redis: RedisServer) -> AsyncIterator[RosterReader]:
    """The roster in a Redis of the test's own, which is started for it."""
    mortal_redis.start()
    client = redis.asyncio.Redis.from_url(mortal_redis.url)
    yield RosterReader(client, CHANNEL)
    await client.aclose()
