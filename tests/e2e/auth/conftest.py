"""Two pods that ask for tokens and one that observes, shared by the tests of this folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import StartPod
from tests.streams.auth.issuer import OTHER_SECRET, SECRET, jwk, jwks, token
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer

CHANNEL = "auth-tests"
COOKIE = "sse_token"
# Of some other page, which is allowed to open streams.
SHOP = "https://shop.example"
KID = "2026-11"


class Cluster(NamedTuple):
    """Pods of one cluster, and the file with their public keys."""

    one: Pod
    other: Pod
    keys: Path


@pytest.fixture(scope="session")
def cluster(start_shared_pod: StartPod, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    keys.write_text(jwks(jwk("RS256", KID)))
    one, other = (
        start_shared_pod(
            REDIS_URL=redis_server.url,
            REDIS_CHANNEL=CHANNEL,
            POD_NAME=f"pod-{number}",
            STREAM_AUTH="required",
            TOKEN_SECRET=f"{SECRET},{OTHER_SECRET}",
            TOKEN_KEYS=str(keys),
            TOKEN_LEEWAY_SECONDS=1,
            TOKEN_WARN_SECONDS=60,
            CORS_ALLOWED_ORIGINS=SHOP,
        )
        for number in (1, 2)
    )
    return Cluster(one, other, keys)


@pytest.fixture(scope="session")
def observer(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    return start_shared_pod(
        REDIS_URL=redis_server.url,
        REDIS_CHANNEL=CHANNEL,
        POD_NAME="observer",
        STREAM_AUTH="observe",
        HEARTBEAT_SECONDS=1,
        TOKEN_SECRET=SECRET,
        TOKEN_LEEWAY_SECONDS=1,
    )


def issue(name: str, seconds: float = 3600, **claims: Any) -> str:
    """Return a token of a device that ends so many seconds from now."""
    now = time.time()
    return token(**{"sub": name, "iat": now - 60, "exp": now + seconds, **claims})


def bearer(given: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {given}"}
