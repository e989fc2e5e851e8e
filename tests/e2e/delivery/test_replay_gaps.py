"""A client whose id this pod does not remember, or never had, is told what may be missing."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.conftest import StartPod
from tests.support.barriers import remembered
from tests.support.clients.devices import gap_covers
from tests.support.clients.reading import gap_of, ids, ids_until
from tests.support.http import open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually, wait_until


@pytest.fixture
def forgetful(start_pod: StartPod, redis_server: RedisServer) -> Pod:
    return start_pod(REDIS_URL=redis_server.url, DURABLE_LOG="off", HISTORY_SECONDS=2, HISTORY_PER_CLIENT=3)


async def test_an_id_that_is_forgotten_is_a_gap(forgetful: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(forgetful.port, client_name) as stream:
        began = time.time()
        for number in range(1, 11):
            redis_server.publish(event(client_name, number))
        ended = time.time()
        await stream.until("evt-00000010")
    async with await open_stream(forgetful.port, client_name, headers={"Last-Event-ID": "evt-00000002"}) as stream:
        gap = await gap_of(stream)
        assert {"type", "podName", "timestamp", "reason", "lastEventId", "from", "to"} == gap.keys()
        assert (gap["type"], gap["reason"]) == ("stream-gap", "expired")
        assert (gap["lastEventId"], gap["from"]) == ("evt-00000002", None)
        assert gap_covers(gap, began, ended)
        assert await ids_until(stream, "evt-00000010") == ids(8, 10)
    # What is too old goes, too.
    await eventually("the history to be empty", lambda: remembered(forgetful) == 0)
    async with await open_stream(forgetful.port, client_name, headers={"Last-Event-ID": "evt-00000009"}) as stream:
        gap = await gap_of(stream)
        assert (gap["reason"], gap["lastEventId"], gap["from"]) == ("expired", "evt-00000009", None)
        assert gap_covers(gap, began, ended)
        redis_server.publish(event(client_name, 11))
        assert await ids_until(stream, "evt-00000011") == ["evt-00000011"]
    assert forgetful.metric('sse_stream_gaps_total{reason="expired"}') == 2


async def test_a_quiet_client_reads_no_gap(forgetful: Pod, redis_server: RedisServer, client_name: str):
    redis_server.publish(event(client_name, 1))
    wait_until("the event to be remembered", lambda: remembered(forgetful) >= 1)
    await eventually("the history to be empty", lambda: remembered(forgetful) == 0)
    async with await open_stream(forgetful.port, client_name, headers={"Last-Event-ID": "evt-00000001"}) as stream:
        redis_server.publish(event(client_name, 2))
        assert await ids_until(stream, "evt-00000002") == ["evt-00000002"]


@pytest.mark.parametrize("impossible", ["x" * 129, "\xe9", "\t"])
async def test_an_id_that_no_event_can_have_is_a_gap(
    impossible: str, pod: Pod, redis_server: RedisServer, client_name: str
):
    redis_server.publish(event(client_name, 1))
    wait_until("the event to be remembered", lambda: remembered(pod) >= 1)
    target = f"{client_name}?lastEventId={quote(impossible, encoding='latin-1')}"
    async with await open_stream(pod.port, target) as stream:
        gap = await gap_of(stream)
        assert gap["reason"] == "unknown-id"
        redis_server.publish(event(client_name, 2))
        assert (await ids_until(stream, "evt-00000002"))[-1] == "evt-00000002"


async def test_an_id_from_before_the_pods_start_is_a_gap(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    before = time.time()
    redis_server.publish(event(client_name, 1))
    pod = start_pod(REDIS_URL=redis_server.url)
    async with await open_stream(pod.port, client_name, headers={"Last-Event-ID": "evt-00000001"}) as stream:
        gap = await gap_of(stream)
        assert (gap["reason"], gap["lastEventId"], gap["from"]) == ("pod-started", "evt-00000001", None)
        assert gap_covers(gap, before, time.time())
        redis_server.publish(event(client_name, 2))
        assert await ids_until(stream, "evt-00000002") == ["evt-00000002"]
