"""The canary: a Redis that answers nobody turns readiness red, and no client ever sees one."""

from __future__ import annotations

import time

from tests.conftest import StartPod
from tests.support.clients.reading import read_until
from tests.support.http import open_stream
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually, wait_until

CANARY_SECONDS = 3.0


async def test_a_redis_that_freezes_turns_readiness_red(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url, CANARY_SECONDS=CANARY_SECONDS)
    async with await open_stream(pod.port, client_name) as stream:
        mortal_redis.freeze()
        frozen_at = time.monotonic()

        def red() -> bool:
            assert pod.status("/health/live") == 200
            return pod.status("/health/ready") == 503

        await eventually("readiness to go", red, timeout=CANARY_SECONDS + 3)
        red_after = time.monotonic() - frozen_at
        assert "comes back" in pod.json("/health/ready")["reason"]
        await eventually("some time", lambda: time.monotonic() - frozen_at > CANARY_SECONDS + 1)
        mortal_redis.thaw()
        thawed_at = time.monotonic()
        await eventually("readiness to come back", lambda: pod.is_ready, timeout=5)
        print(f"red {red_after:.1f} s after SIGSTOP, ready {time.monotonic() - thawed_at:.1f} s after SIGCONT")
        mortal_redis.publish(event(client_name, 1))
        ids, _gaps = await read_until(stream, "evt-00000001")
        assert ids == ["evt-00000001"]


async def test_nobody_ever_sees_the_canary(start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url, CANARY_SECONDS=1)
    channels = [channel for channel in mortal_redis.client.pubsub_channels() if b"canary" in channel]
    patterns = int(mortal_redis.client.pubsub_numpat())
    assert (channels, patterns) == ([], 1)
    published = mortal_redis.client.info("commandstats")["cmdstat_publish"]["calls"]
    async with await open_stream(pod.port, client_name) as stream:
        # Three of them a second.
        wait_until(
            "canaries to fly",
            lambda: mortal_redis.client.info("commandstats")["cmdstat_publish"]["calls"] > published + 4,
        )
        mortal_redis.publish(event(client_name, 1))
        assert await read_until(stream, "evt-00000001") == (["evt-00000001"], [])
    assert pod.metric("sse_events_received_total") == 1
    assert pod.metric("sse_events_unusable_total") == 0
    assert pod.metric("sse_canary_age_seconds") < 1
