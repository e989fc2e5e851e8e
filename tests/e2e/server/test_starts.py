"""Every way to start a pod serves the same application."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.transport.listen_queue import LISTEN_BACKLOG
from tests.support.http import HOST, TIMESTAMP, open_stream, request_bytes
from tests.support.pods import STARTS, Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually, wait_until

pytestmark = pytest.mark.parametrize("start", STARTS)


async def test_shows_what_a_client_calls_itself(start: str, pods: Callable[[str], Pod], client_name: str):
    pod = pods(start)
    async with await open_stream(pod.port, client_name, headers={"User-Agent": "Lane/1.0 <b>"}):
        page = await asyncio.to_thread(pod.fetch, f"/admin/clients/{client_name}")
    assert b"Lane/1.0 &lt;b&gt;" in page.body


async def test_streams_an_event(start: str, pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str):
    pod = pods(start)
    async with await open_stream(pod.port, client_name, headers={"Origin": "https://shop.example"}) as stream:
        assert stream.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-cache, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["access-control-allow-origin"] == "*"
        assert "content-length" not in stream.headers
        assert "content-encoding" not in stream.headers

        assert stream.connected is not None
        assert stream.connected.type == "message"
        assert stream.connected.last_event_id == ""
        greeting = stream.connected.json()
        assert list(greeting) == ["type", "clientName", "podName", "timestamp"]
        assert greeting["clientName"] == client_name
        assert greeting["podName"] == f"pod-{start}"
        assert TIMESTAMP.fullmatch(greeting["timestamp"])
        assert stream.parser.retry_ms is not None
        assert 1000 <= stream.parser.retry_ms <= 5000

        message = f'{{"clientName":"{client_name}", "eventId":"evt-1", "data" : {{"ü": "\\u00fc", "n": 1.50}}}}'
        redis_server.publish(message)
        received = await stream.next()
        assert received is not None
        assert received.data == message, "what was published is to pass through byte for byte"
        assert (received.type, received.last_event_id) == ("message", "evt-1")


def test_no_token_in_an_address_stands_in_the_log(start: str, pods: Callable[[str], Pod], client_name: str):
    """Plain servers write a line for each request."""
    pod = pods(start)
    for target in (f"/events/{client_name}?since=-1&token=looked-for", "/nothing?jwt=looked-for", "/health?since=yes"):
        pod.fetch(target)
    if start != "streamworker":
        pod.wait_log("/health")
    assert "looked-for" not in pod.log


async def test_serves_a_client_of_http_1_0(
    start: str, pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str
):
    pod = pods(start)
    async with await open_stream(pod.port, client_name, version="1.0") as stream:
        assert "transfer-encoding" not in stream.headers, "HTTP/1.0 knows no chunks"
        for number in range(3):
            redis_server.publish(event(client_name, number))
        for number in range(3):
            assert await stream.next_json() == event(client_name, number)


async def test_notices_at_once_that_a_client_has_gone(start: str, pods: Callable[[str], Pod], client_name: str):
    pod = pods(start)
    for leave in ("close", "reset"):
        stream = await open_stream(pod.port, client_name)
        assert pod.status(f"/admin/client/{client_name}") == 200
        if leave == "close":
            await stream.close()
        else:
            stream.reset()
        await eventually(
            f"the client to be gone after its {leave}",
            lambda: pod.status(f"/admin/client/{client_name}") == 404,
            timeout=2,
        )


async def test_evicts_the_older_of_two_connections(
    start: str, pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str
):
    pod = pods(start)
    async with await open_stream(pod.port, client_name) as old, await open_stream(pod.port, client_name) as new:
        assert [farewell.type for farewell in await old.rest()] == ["evicted"]
        assert old.ended, "the response is to end, not to be cut"
        redis_server.publish(event(client_name, 7))
        assert (await new.next_json())["eventId"] == "evt-00000007"


async def test_answers_everything_else(start: str, pods: Callable[[str], Pod]):
    pod = pods(start)
    health = pod.fetch("/health")
    assert health.status == 200
    assert health.json()["status"] == "healthy"
    assert pod.fetch("/nowhere").status == 404
    assert pod.fetch("/events/-bad").status == 400
    assert pod.fetch("/events/x", method="POST", body=b"{}").status == 405
    assert b"sse_connections" in pod.fetch("/metrics").body


def test_outlives_requests_that_never_become_one(start: str, pods: Callable[[str], Pod], client_name: str):
    pod = pods(start)
    before = pod.connections()

    async def leave_half_sent() -> None:
        whole = request_bytes("GET", f"/events/{client_name}")
        for part in (b"", whole[:10], whole[:-2], request_bytes("POST", "/register", {"Content-Length": "500"}) + b"{"):
            _, writer = await asyncio.open_connection("127.0.0.1", pod.port)
            writer.write(part)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    asyncio.run(leave_half_sent())
    wait_until("the pod to answer on", lambda: pod.status("/health") == 200)
    assert pod.connections() == before


def test_has_a_queue_for_many_clients(start: str, pods: Callable[[str], Pod]):
    if start == "uvicorn":
        pytest.skip("uvicorn has an option of its own for its queue")
    pod = pods(start)
    somaxconn = int(Path("/proc/sys/net/core/somaxconn").read_text())
    # What one listening socket could queue would not hold them; those who find no place try again after a second.
    crowd = min(LISTEN_BACKLOG, somaxconn) + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < crowd + 500:
        pytest.skip(f"a crowd of {crowd} needs more than the {hard} open files allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, crowd + 500), hard))
    with contextlib.ExitStack() as opened:
        opened.enter_context(pod.standing_still())
        for _ in range(crowd):
            # The pod takes in nobody, so that the kernel must; where it does not, this ends with TimeoutError.
            opened.enter_context(socket.create_connection((HOST, pod.port), timeout=5))
