"""An API in production, with a key for tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from streams.conf import StreamSettings
from streams.pod import Pod
from tests.streams.api.asking import Api
from tests.streams.api.tokens.asking import SECRET
from tests.streams.roster.fleet import Fleet


@pytest.fixture
async def guarded(settings: Any, conf: StreamSettings, fleet: Fleet) -> AsyncIterator[Api]:
    settings.STREAMS = msgspec.structs.replace(
        conf,
        environment="production",
        publish_auth="required",
        stream_auth="observe",
        token_secret=SECRET,
        redis_channel=fleet.channel,
        pod_name="pod-here",
    )
    pod = Pod(settings.STREAMS)
    pod.guard.was_read = True
    yield Api(pod)
    pod.reading.drop("the test is over")
    await asyncio.gather(*pod.reading._closing)
