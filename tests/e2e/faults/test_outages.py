"""Redis away at the start, killed under load, frozen: the pod tells the truth and comes back by itself."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import redis

from tests.conftest import StartPod
from tests.support.http import close_all, open_response, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.threads import in_thread
from tests.support.waiting import eventually

# From the moment at which Redis answers to the moment at which the pod is healthy.
RECOVERY_SECONDS = 3.0


async def healthy_within(pod: Pod, seconds: float, since: float) -> None:
    await eventually("the pod to be healthy again", lambda: pod.status("/health") == 200, timeout=seconds)
    assert time.monotonic() - since <= seconds
    assert pod.status("/health/ready") == 200


def assert_disconnected(pod: Pod) -> None:
    health = pod.fetch("/health")
    assert health.status == 503
    assert health.json()["status"] == "unhealthy"
    assert health.json()["redis"]["connected"] is False
    assert pod.fetch("/health/live").status == 200, "the event loop turns, whatever Redis does"
    ready = pod.fetch("/health/ready")
    assert ready.status == 503
    assert "redis" in ready.json()["reason"].lower()
    assert ready.json()["error"]


@pytest.mark.parametrize("start", ["streamworker", "uvicorn"])
async def test_starts_without_redis(start: str, start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    pod = start_pod(start, ready=False, REDIS_URL=mortal_redis.url)
    pod.wait_live()
    assert_disconnected(pod)

    early = await open_response(pod.port, client_name)
    assert early.status == 200
    # It is on the pod's list and has been told nothing that is not true.
    await eventually("the client to be listed", lambda: pod.status(f"/admin/client/{client_name}") == 200)
    with pytest.raises(TimeoutError):
        await early.next(timeout=0.5)

    mortal_redis.start()
    await healthy_within(pod, RECOVERY_SECONDS, time.monotonic())
    assert (await early.next_json())["type"] == "connected"
    mortal_redis.publish(event(client_name, 1))
    await early.until("evt-00000001")
    await early.close()


async def test_survives_redis_again_and_again(start_pod: StartPod, mortal_redis: RedisServer):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    names = [f"OUTAGE-{number:02d}" for number in range(20)]
    streams = [await open_stream(pod.port, name) for name in names]
    with publishing(mortal_redis.url, names):
        for round_number, end in enumerate(("kill", "stop", "kill")):
            if end == "kill":
                mortal_redis.kill()
            else:
                mortal_redis.stop()
            await eventually("the pod to notice", lambda: pod.status("/health") == 503, timeout=2)
            assert_disconnected(pod)
            mortal_redis.start()
            await healthy_within(pod, RECOVERY_SECONDS, time.monotonic())
            for name, stream in zip(names, streams, strict=True):
                mortal_redis.publish(event(name, round_number))
                await stream.until(f"evt-{round_number:08d}")
    assert pod.connections() == len(names), "streams are to stay open while Redis is away"
    assert pod.metric("sse_redis_outages_total") == 3
    assert pod.metric("sse_connects_total") == len(names)
    await close_all(streams)


async def test_new_clients_wait_out_an_outage(start_pod: StartPod, mortal_redis: RedisServer):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    mortal_redis.kill()
    await eventually("the pod to notice", lambda: pod.status("/health") == 503, timeout=2)
    waiting = [await open_response(pod.port, f"WAITING-{number}") for number in range(5)]
    gone = await open_response(pod.port, "GONE")
    await gone.close()
    await eventually("the one that left to be gone", lambda: pod.status("/admin/client/GONE") == 404, timeout=2)
    mortal_redis.start()
    for number, stream in enumerate(waiting):
        assert (await stream.next_json())["type"] == "connected"
        mortal_redis.publish(event(f"WAITING-{number}", 5))
        await stream.until("evt-00000005")
        await stream.close()


def publishing(url: str, names: list[str]) -> contextlib.AbstractContextManager[None]:
    """Publish all the while, whether Redis is there or not."""

    def publish(over: threading.Event) -> None:
        client = redis.Redis.from_url(url, socket_timeout=1)
        while not over.wait(0.002):
            with contextlib.suppress(redis.RedisError, OSError):
                for name in names:
                    client.publish("events-to-store", f'{{"clientName":"{name}","action":"status"}}')
        client.close()

    return in_thread(publish, "load")
