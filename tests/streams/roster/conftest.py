"""A roster of the test's own in the Redis that all share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.streams.roster.fleet import Fleet, fleet_in
from tests.support.redis_server import RedisServer


@pytest.fixture
async def fleet(redis_server: RedisServer) -> AsyncIterator[Fleet]:
    async with fleet_in(redis_server) as fleet:
        yield fleet
