"""The pod's reader of the roster, and the connections that it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streams.broker.primary import Primary
from streams.roster.reading.pod_reader import Reading
from tests.streams.roster.fleet import Fleet
from tests.support.redis_server import RedisServer


@pytest.fixture
async def reading(redis_server: RedisServer, fleet: Fleet) -> AsyncIterator[Reading]:
    reading = Reading(redis_server.url, fleet.channel, primary=Primary(redis_server.url))
    yield reading
    reading.drop("the test is over")
    await asyncio.gather(*reading._closing)


async def test_reading_keeps_one_reader(reading: Reading):
    assert reading.reader is reading.reader
    assert await reading.reader.pods() == []


async def test_reading_leaves_what_it_is_connected_to(reading: Reading):
    """Whoever asks meanwhile is answered, and who asks next on a connection of its own."""
    before = reading.reader
    assert await before.pods() == []
    reading.drop("another Redis answers there now")
    assert reading.reader is not before
    assert await reading.reader.pods() == []
    await asyncio.gather(*reading._closing)
    assert not reading._closing


async def test_reading_has_nothing_to_leave_before_anybody_asked(reading: Reading):
    reading.drop("another Redis answers there now")
    assert not reading._closing
