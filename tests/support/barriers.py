"""Waiting for a pod to have heard what was published: being published is not yet being heard."""

from __future__ import annotations

import uuid

from tests.support.http import open_stream
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, RedisServer, event


async def heard_all(pod: Pod, server: RedisServer, channel: str = CHANNEL) -> None:
    """Return once a pod has heard all that was published before: an event behind it has arrived."""
    witness = f"WITNESS-{uuid.uuid4().hex[:12]}"
    async with await open_stream(pod.port, witness) as stream:
        server.publish(event(witness), channel)
        await stream.until(event(witness)["eventId"])


def remembered(pod: Pod) -> float:
    """Return how many events a pod has in its history."""
    return pod.metric("sse_history_events")
