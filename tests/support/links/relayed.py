"""A pod that reaches Redis through a relay, which can cut it off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.conftest import StartPod
from tests.support.http import HOST
from tests.support.links.relay import Relay
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually


@contextlib.asynccontextmanager
async def relayed_pod(
    start_pod: StartPod, server: RedisServer, delay_seconds: float = 0.0
) -> AsyncIterator[tuple[Pod, Relay]]:
    """Give a pod that is ready, and the relay between it and Redis."""
    async with Relay([server.port], delay_seconds) as relay:
        pod = start_pod(REDIS_URL=f"redis://{HOST}:{relay.port}", ready=False)
        await asyncio.to_thread(pod.wait_ready)
        yield pod, relay


@contextlib.asynccontextmanager
async def cut_off(pod: Pod, relay: Relay) -> AsyncIterator[None]:
    """Keep a pod from Redis: begin once it has noticed, end once it is ready again."""
    relay.refuse()
    await eventually("the pod to notice", lambda: not pod.is_ready)
    yield
    relay.restore()
    await eventually("the pod to be ready", lambda: pod.is_ready)
