from __future__ import annotations

import msgspec
import pytest
from pytest_django import Settings

from tests.conftest import StartPod
from tests.support.operators import make_databases
from tests.support.pods import PRODUCTION, Pod
from tests.support.redis_server import RedisServer, free_port

ADMIN_TOKEN = "a-token-for-scripts-in-tests"


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_databases(tmp_path_factory.mktemp("databases"), 2)


@pytest.fixture(scope="session")
def two_pods(start_shared_pod: StartPod, redis_server: RedisServer, databases: list[str]) -> list[Pod]:
    """Two pods in production, each with a database of its own, and with a channel that no other test has."""
    return [
        start_shared_pod(
            **PRODUCTION,
            DATABASE_URL=url,
            REDIS_URL=redis_server.url,
            REDIS_CHANNEL="login-tests",
            ADMIN_TOKEN=ADMIN_TOKEN,
            POD_NAME=f"pod-{number}",
        )
        for number, url in enumerate(databases, 1)
    ]


@pytest.fixture
def no_redis(settings: Settings) -> None:
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, redis_url=f"redis://127.0.0.1:{free_port()}")
