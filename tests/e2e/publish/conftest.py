"""What there is in the journal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.publish.asking import Published
from tests.support.redis_server import JOURNAL, RedisServer


@pytest.fixture
def published(redis_server: RedisServer) -> Published:
    """Say how many events were ever in the journal."""
    client: Any = redis_server.client
    return lambda: int(client.xinfo_stream(JOURNAL)["entries-added"]) if client.exists(JOURNAL) else 0
