"""Pods that serve an application of the tests instead of their own."""

from __future__ import annotations

from tests.conftest import StartPod
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer


def failing_pod(start_pod: StartPod, server: RedisServer, start: str = "daphne") -> Pod:
    """Start a pod some of whose requests fail; its log may hold their tracebacks."""
    pod = start_pod(start, application="tests.support.applications.failing:application", REDIS_URL=server.url)
    pod.may_log_tracebacks = True
    return pod
