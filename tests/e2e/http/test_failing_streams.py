"""A stream whose opening fails, and a `since` beyond the calendar: no ghost is left, and others are served."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.conftest import StartPod
from tests.support.applications.serving import failing_pod
from tests.support.http import exchange, open_stream, request_bytes
from tests.support.pods import TRACEBACK, Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually


@pytest.mark.parametrize("start", ["daphne", "uvicorn"])
async def test_stream_whose_opening_fails_is_cut_and_forgotten(
    start: str, start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    pod = failing_pod(start_pod, redis_server, start)
    async with await open_stream(pod.port, client_name) as neighbour:
        # It returns because its socket is closed, which a server that aborts may do with a reset.
        with contextlib.suppress(ConnectionError):
            await asyncio.to_thread(exchange, pod.port, request_bytes("GET", "/events/FAILING"), timeout=5)
        assert [one["clientName"] for one in pod.json("/admin/connections")["connections"]] == [client_name]
        redis_server.publish(event(client_name, 1))
        await neighbour.until("evt-00000001")
    await eventually("the neighbour to be gone", lambda: pod.connections() == 0, 5)
    pod.wait_log("RuntimeError: this stream fails")
    assert pod.log.count(TRACEBACK) == 1


@pytest.mark.parametrize("start", ["daphne", "uvicorn"])
async def test_page_whose_stream_fails_is_cut(start: str, start_pod: StartPod, redis_server: RedisServer):
    """An answer that has begun cannot become another."""
    pod = failing_pod(start_pod, redis_server, start)
    with contextlib.suppress(ConnectionError):
        await asyncio.to_thread(exchange, pod.port, request_bytes("GET", "/admin/live"), timeout=5)
    pod.wait_log("RuntimeError: this page's stream fails")
    assert pod.log.count(TRACEBACK) == 1


# Before the year 1, beyond what can be reckoned with, and milliseconds where seconds are meant.
@pytest.mark.parametrize("since", ["1e10", "1e11", "1e300", "1767614400000", "86401"])
async def test_since_beyond_the_history_is_everything(
    since: str, pod: Pod, redis_server: RedisServer, client_name: str
):
    redis_server.publish(event(client_name, 1))
    await eventually("it to be remembered", lambda: pod.metric("sse_history_events") >= 1)
    async with await open_stream(pod.port, f"{client_name}?since={since}") as stream:
        assert stream.status == 200
        gap = await stream.next()
        assert gap is not None
        assert gap.type == "stream-gap"
        assert gap.json()["from"] is None
        redis_server.publish(event(client_name, 2))
        assert (await stream.next_json())["eventId"] == "evt-00000001"
        assert (await stream.next_json())["eventId"] == "evt-00000002"
    await eventually("the client to be gone", lambda: pod.status(f"/admin/client/{client_name}") == 404, 5)
    assert TRACEBACK not in pod.log
