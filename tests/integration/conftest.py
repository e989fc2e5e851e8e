from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.conf import StreamSettings, read_settings
from tests.support.redis_server import RedisServer


@pytest.fixture
def conf(settings: Any, redis_server: RedisServer) -> StreamSettings:
    """Settings of this process that name the tests' own Redis."""
    conf = msgspec.structs.replace(read_settings({}), redis_url=redis_server.url)
    settings.STREAMS = conf
    return conf
