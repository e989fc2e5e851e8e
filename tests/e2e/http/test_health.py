"""GET /health and whether a pod is ready."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams import VERSION
from tests.conftest import StartPod
from tests.e2e.http.expected import assert_error
from tests.support.http import HOST, TIMESTAMP, close_all, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer


def test_health_has_the_keys_that_it_always_had(pod: Pod, redis_server: RedisServer):
    answer = pod.fetch("/health")
    assert answer.status == 200
    health = answer.json()
    assert {"status", "podName", "uptime", "connections", "redis", "timestamp", "environment"} <= health.keys()
    assert health["status"] == "healthy"
    assert health["podName"] == "pod-streamworker"
    assert health["environment"] == "development"
    assert isinstance(health["uptime"], int)
    assert health["version"] == VERSION
    assert TIMESTAMP.fullmatch(health["timestamp"])
    assert health["redis"] == {
        "connected": True,
        "channel": "events-to-store",
        "host": HOST,
        "port": redis_server.port,
    }


async def test_health_ready_says_no_at_the_limit_of_connections(
    start_pod: StartPod, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    pod = start_pod(REDIS_URL=redis_server.url, MAX_CONNECTIONS=2)
    streams = [await open_stream(pod.port, name) for name in client_names(2)]
    ready = pod.fetch("/health/ready")
    assert_error(ready, 503, "limit", "2")
    assert pod.status("/health") == 200
    await close_all(streams)
    deadline = time.monotonic() + 2
    while pod.status("/health/ready") != 200:
        assert time.monotonic() < deadline, "room was made and the pod does not say so"
