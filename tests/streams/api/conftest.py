"""The API of a pod of which nothing runs, on a roster of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from streams.conf import StreamSettings
from streams.pod import Pod
from tests.streams.api.asking import Api
from tests.streams.roster.fleet import Fleet, fleet_in
from tests.support.redis_server import RedisServer


@pytest.fixture
async def fleet(redis_server: RedisServer) -> AsyncIterator[Fleet]:
    async with fleet_in(redis_server) as fleet:
        yield fleet


@pytest.fixture
async def api(settings: Any, conf: StreamSettings, fleet: Fleet) -> AsyncIterator[Api]:
    settings.STREAMS = msgspec.structs.replace(conf, redis_channel=fleet.channel, pod_name="pod-here")
    pod = Pod(settings.STREAMS)
    yield Api(pod)
    pod.reading.drop("the test is over")
    await asyncio.gather(*pod.reading._closing)
