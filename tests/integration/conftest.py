from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from streams.conf import StreamSettings, read_settings
from tests.support.redis_server import RedisServer


@pytest.fixture
def conf(settings: Any, redis_server: RedisServer) -> StreamSettings:
    """Settings of this process that name the tests' own Redis."""
    conf = dataclasses.replace(read_settings({}), redis_url=redis_server.url)
    settings.STREAMS = conf
    return conf
