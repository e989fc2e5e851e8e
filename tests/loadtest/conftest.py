"""A real Redis server, a hub on it, and a plan for both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadtest.plan import Plan
from tests.loadtest.hub import Hub
from tests.support.redis_server import running_redis


@pytest.fixture(scope="package")
def redis_url() -> Iterator[str]:
    with running_redis() as server:
        yield server.url


@pytest.fixture
def hub(redis_url: str) -> Iterator[Hub]:
    with Hub(redis_url) as hub:
        yield hub


@pytest.fixture
def plan(hub: Hub) -> Plan:
    return Plan(url=f"http://127.0.0.1:{hub.port}", redis_url=hub.redis_url, connections=20, rate=200, seconds=0.5)
