"""Events that no pod delivers are counted once in the whole cluster, and those that one delivers never are."""

from __future__ import annotations

import functools
import time
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import close_all, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import eventually

# Whether nobody has a client is known late, and there are several waits for that.
pytestmark = pytest.mark.long

HERE = ("STORE1-LANE1", "STORE1-LANE2")
GONE, NEVER = "STORE1-LANE3", "never-seen"
# A pod says every five seconds whom it has, and a watch waits for eight.
KNOWN_SECONDS = 20.0


@pytest.fixture
def pods(mortal_redis: RedisServer, start_pod: StartPod) -> list[Pod]:
    mortal_redis.start()
    started = [start_pod(ready=False, REDIS_URL=mortal_redis.url, POD_NAME=f"pod-{number}") for number in range(2)]
    for pod in started:
        pod.wait_ready()
    return started


def total(pods: list[Pod], name: str) -> float:
    return sum(pod.metric(name) for pod in pods)


def is_logged(pods: list[Pod], line: str) -> bool:
    return any(line in pod.log for pod in pods)


async def let_it_be_long_ago(server: RedisServer) -> None:
    """A pod that is behind may hear what was published before the client left."""
    key = f"{CHANNEL}:roster:seen:STORE1"
    await eventually("an end", lambda: server.client.hget(key, GONE))
    server.client.hset(key, GONE, f"{round(1000 * (time.time() - 30))} client-closed pod-1")


async def let_the_tally_be_old(server: RedisServer) -> None:
    """Nobody knows who was there before pods had the time to say it; they have had it."""
    key = f"{CHANNEL}:roster:tally"
    long_ago = round(1000 * (time.time() - 60))
    said_at = 0

    def is_old() -> bool:
        nonlocal said_at
        tally: Any = server.client.hgetall(key)
        if tally.get(b"began") == b"%d" % long_ago:
            # A round that had begun before would have written down what it read then.
            return int(tally.get(b"at", 0)) > said_at
        said_at = round(1000 * time.time())
        server.client.hset(key, "began", long_ago)
        return False

    await eventually("a tally", lambda: server.client.hget(key, "at"))
    await eventually("an old tally", is_old)


async def test_events_that_no_pod_delivers_are_counted_once(pods: list[Pod], mortal_redis: RedisServer):
    streams = [await open_stream(pod.port, name) for pod, name in zip(pods, HERE, strict=True)]
    gone = await open_stream(pods[1].port, GONE)
    await gone.close()
    await let_it_be_long_ago(mortal_redis)
    await let_the_tally_be_old(mortal_redis)
    for number, name in enumerate((*HERE, GONE, NEVER)):
        mortal_redis.publish(event(name, number))
        mortal_redis.add(event(name, 10 + number))
    # One event, by both ingresses.
    mortal_redis.publish(event(GONE, 20))
    mortal_redis.add(event(GONE, 20))
    await eventually("unclaimed events", lambda: total(pods, "sse_events_unclaimed_total") >= 5, timeout=KNOWN_SECONDS)
    for name in (GONE, NEVER):
        # What came in two seconds may be in two lines, the second of them a minute later.
        line = f"Nobody was connected as {name}: "
        await eventually(line, functools.partial(is_logged, pods, line))
    # What came before has been looked at when what came last has.
    mortal_redis.publish(event(HERE[0], 30))
    mortal_redis.publish(event(NEVER, 31))
    await eventually("the last", lambda: total(pods, "sse_events_unclaimed_total") >= 6, timeout=KNOWN_SECONDS)
    assert total(pods, "sse_events_unclaimed_total") == 6
    assert total(pods, "sse_events_unchecked_total") == 0
    assert not any(f"connected as {name}" in pod.log for pod in pods for name in HERE)
    await close_all(streams)
