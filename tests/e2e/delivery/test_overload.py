"""More clients than a pod may hold: those that are not taken are told so, and those that are notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import HOST, EventStream, close_all, open_response, open_stream, request_bytes
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

OVERLOADED = 'sse_closes_total{reason="overloaded"}'
MAX_LIFE = 'sse_closes_total{reason="max-life"}'
RETRY_MS = range(1_000, 5_001)
STARTS = ["streamworker", "daphne", "uvicorn"]


async def assert_told_overloaded(stream: EventStream) -> int:
    """Fail the test unless this is how a stream is refused; return its delay for the next attempt."""
    assert stream.status == 200, "a browser gives up for ever on anything else"
    assert stream.headers["content-type"].startswith("text/event-stream")
    (farewell,) = await stream.rest()
    assert farewell.type == "overloaded"
    said = farewell.json()
    assert (said["type"], said["podName"]) == ("overloaded", "pod-under-test")
    assert said["timestamp"]
    assert stream.ended, "the response is to end, not to be cut"
    retry_ms = stream.parser.retry_ms
    assert retry_ms in RETRY_MS
    await stream.close()
    return retry_ms or 0


async def assert_all_receive(server: RedisServer, streams: dict[str, EventStream], number: int) -> None:
    for name in streams:
        server.publish(event(name, number))
    for stream in streams.values():
        await stream.until(f"evt-{number:08d}")


@pytest.mark.parametrize("start", STARTS)
async def test_a_full_pod_refuses_and_serves_on(start: str, start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(start, REDIS_URL=redis_server.url, MAX_CONNECTIONS=5)
    streams = {f"TAKEN-{number}": await open_stream(pod.port, f"TAKEN-{number}") for number in range(5)}
    delays = {await assert_told_overloaded(await open_response(pod.port, f"REFUSED-{n}")) for n in range(12)}
    assert len(delays) > 6, "the refused are to come back spread"
    assert pod.metric(OVERLOADED) == 12

    status = await open_response(pod.port, "STATUS", headers={"Prefer": "status"})
    assert status.status == 503
    assert 1 <= int(status.headers["retry-after"]) <= 5
    assert status.headers["content-type"] == "application/json"
    await status.close()

    ready = pod.fetch("/health/ready")
    assert ready.status == 503
    assert "limit" in ready.json()["reason"]
    assert pod.fetch("/health").status == 200, "a full pod is a healthy one"
    assert pod.connections() == 5
    await assert_all_receive(redis_server, streams, 3)

    # A place that becomes free is given away again.
    await streams.pop("TAKEN-0").close()
    await eventually("the pod to be ready", lambda: pod.status("/health/ready") == 200)
    streams["LATE"] = await open_stream(pod.port, "LATE")
    await assert_all_receive(redis_server, streams, 4)
    await close_all(streams.values())


async def open_from(address: str, pod: Pod, name: str) -> EventStream:
    reader, writer = await asyncio.open_connection(HOST, pod.port, local_addr=(address, 0))
    writer.write(request_bytes("GET", f"/events/{name}"))
    stream = EventStream(reader, writer)
    await stream.read_head()
    return stream


async def test_one_address_does_not_take_every_place(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, MAX_CONNECTIONS_PER_IP=3)
    streams = {f"HERE-{number}": await open_stream(pod.port, f"HERE-{number}") for number in range(3)}
    await assert_told_overloaded(await open_response(pod.port, "HERE-3"))
    for number in range(3):
        streams[f"THERE-{number}"] = await open_from("127.0.0.2", pod, f"THERE-{number}")
    await assert_told_overloaded(await open_from("127.0.0.2", pod, "THERE-3"))
    assert pod.status("/health/ready") == 200
    await assert_all_receive(redis_server, streams, 1)

    await streams.pop("HERE-0").close()
    await eventually("its place to be free", lambda: pod.status("/admin/client/HERE-0") == 404)
    streams["HERE-4"] = await open_stream(pod.port, "HERE-4")
    assert pod.connections() == 6
    await close_all(streams.values())


@pytest.mark.parametrize("limit", ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_IP"])
async def test_who_replaces_its_own_connection_is_not_one_too_many(
    limit: str, start_pod: StartPod, redis_server: RedisServer
):
    """As a lane does that came back over another network before its old connection was found dead."""
    limits: dict[str, Any] = {limit: 1}
    pod = start_pod(REDIS_URL=redis_server.url, **limits)
    first = await open_stream(pod.port, "LANE")
    second = await open_stream(pod.port, "LANE", headers={"Prefer": "status"})
    assert [farewell.type for farewell in await first.rest()] == ["evicted"]
    await assert_told_overloaded(await open_response(pod.port, "OTHER"))
    await assert_all_receive(redis_server, {"LANE": second}, 1)
    assert pod.connections() == 1
    await second.close()


async def test_who_comes_from_another_address_is_one_more_there(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, MAX_CONNECTIONS_PER_IP=1)
    streams = {"HERE": await open_stream(pod.port, "HERE"), "THERE": await open_from("127.0.0.2", pod, "THERE")}
    await assert_told_overloaded(await open_from("127.0.0.2", pod, "HERE"))
    await assert_all_receive(redis_server, streams, 1)
    await close_all(streams.values())


DESCRIPTORS = 128


@pytest.fixture
def poor_pod(start_pod: StartPod, redis_server: RedisServer) -> Pod:
    """A pod that may open few files."""
    pod = start_pod(REDIS_URL=redis_server.url, ready=False)
    # Long before it has imported what looks at the limit.
    resource.prlimit(pod.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    pod.wait_ready()
    return pod


def test_who_asks_for_nothing_more_gives_way_to_who_comes(poor_pod: Pod):
    """The longest idle ends first."""
    with contextlib.ExitStack() as stack:
        clients: list[socket.socket] = []
        for _ in range(DESCRIPTORS):
            clients.append(stack.enter_context(socket.create_connection((HOST, poor_pod.port), 5)))
            clients[-1].sendall(request_bytes("GET", "/health/live"))
            assert clients[-1].recv(65536).startswith(b"HTTP/1.1 200 ")
        with contextlib.suppress(ConnectionResetError):
            assert clients[0].recv(1) == b"", "it is closed"
        clients[-1].sendall(request_bytes("GET", "/health/live"))
        assert clients[-1].recv(65536).startswith(b"HTTP/1.1 200 ")


async def test_few_descriptors_are_a_limit_too(poor_pod: Pod, redis_server: RedisServer):
    pod, streams = poor_pod, {}
    for number in range(DESCRIPTORS):
        stream = await open_response(pod.port, f"POOR-{number}")
        (first,) = [await stream.next()]
        assert first is not None
        if first.type == "overloaded":
            await stream.close()
            break
        streams[f"POOR-{number}"] = stream
    assert DESCRIPTORS // 3 < len(streams) < DESCRIPTORS
    for number in range(20):
        await assert_told_overloaded(await open_response(pod.port, f"REFUSED-{number}"))
    assert pod.ps.num_fds() < DESCRIPTORS, "what a pod needs besides is to be left"
    assert pod.fetch("/health/ready").status == 503
    await assert_all_receive(redis_server, streams, 1)
    print(f"{len(streams)} streams with {DESCRIPTORS} descriptors")
    await close_all(streams.values())


async def test_a_pod_without_any_descriptor_left_serves_those_it_has(poor_pod: Pod, redis_server: RedisServer):
    pod = poor_pod
    streams = {f"POOR-{number}": await open_stream(pod.port, f"POOR-{number}") for number in range(40)}
    descriptors = pod.ps.num_fds()
    # Fewer than it was started with, so that no limit of its own keeps any back.
    resource.prlimit(pod.process.pid, resource.RLIMIT_NOFILE, (descriptors + 10, DESCRIPTORS))
    with contextlib.ExitStack() as stack:
        # They ask for nothing, so that no limit on streams stops them.
        for _ in range(DESCRIPTORS // 2):
            stack.enter_context(socket.create_connection((HOST, pod.port), 5))
        await eventually("the descriptors to be used up", lambda: pod.ps.num_fds() >= descriptors + 8)
        cpu, began = pod.ps.cpu_times(), time.monotonic()
        for number in range(5):
            await assert_all_receive(redis_server, streams, number)
            await asyncio.sleep(0.2)
        used, seconds = pod.ps.cpu_times(), time.monotonic() - began
        share = (used.user + used.system - cpu.user - cpu.system) / seconds
        assert share < 0.5, f"a pod that can accept nobody is not to spin: {share:.0%} of a CPU"
    await eventually("the descriptors to be closed", lambda: pod.ps.num_fds() <= descriptors, timeout=5)
    assert pod.status("/health/ready") == 200
    async with await open_stream(pod.port, "AFTERWARDS") as stream:
        await assert_all_receive(redis_server, {**streams, "AFTERWARDS": stream}, 9)
    await close_all(streams.values())


@pytest.mark.long
async def test_streams_end_at_their_age_each_at_its_own(start_pod: StartPod, redis_server: RedisServer):
    # Ages are looked at once a second, so what they are spread over is to be longer: a fifth of the limit.
    limit, count = 7.0, 60
    pod = start_pod(REDIS_URL=redis_server.url, MAX_STREAM_SECONDS=limit)

    async def live(number: int) -> tuple[float, int]:
        async with await open_stream(pod.port, f"AGED-{number}") as stream:
            began = time.monotonic()
            events = await stream.rest()
            seconds = time.monotonic() - began
            assert [one.type for one in events] == ["draining"]
            assert events[0].json()["reason"] == "max-life"
            assert stream.ended
            assert stream.parser.retry_ms in RETRY_MS
            return seconds, stream.parser.retry_ms or 0

    lives = await asyncio.gather(*(live(number) for number in range(count)))
    seconds = sorted(life for life, _ in lives)
    assert 0.8 * limit - 0.2 <= seconds[0]
    assert seconds[-1] <= limit + 2
    assert seconds[-1] - seconds[0] > 0.5, f"all ended together: {seconds}"
    assert len({retry_ms for _, retry_ms in lives}) > count / 2
    assert pod.metric(MAX_LIFE) == count
    print(f"MAX_STREAM_SECONDS={limit:g}: {count} streams ended between {seconds[0]:.1f} and {seconds[-1]:.1f} s")


async def test_a_limit_for_each_device_behind_a_trusted_front_door(
    start_pod: StartPod, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    """Without TRUSTED_PROXIES all of them have the front door's address."""
    pod = start_pod(REDIS_URL=redis_server.url, MAX_CONNECTIONS_PER_IP=1, TRUSTED_PROXIES="127.0.0.1")
    one, two, three = client_names(3)
    streams = [
        await open_stream(pod.port, one, headers={"X-Forwarded-For": "203.0.113.7"}),
        await open_stream(pod.port, two, headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.8"}),
        # Written in a way that the server's short path does not read.
        await open_stream(pod.port, three, headers={"X-Forwarded-For": "203.0.113.9", "X-Other": "1"}),
    ]
    for name, address in zip((one, two, three), ("203.0.113.7", "203.0.113.8", "203.0.113.9"), strict=True):
        page = pod.fetch(f"/admin/clients/{name}").body.decode()
        assert re.search(rf"\b{re.escape(address)}\s*<", page), "the page has the device's address, without a port"
    await assert_told_overloaded(await open_response(pod.port, f"{one}-2", headers={"X-Forwarded-For": "203.0.113.7"}))
    await close_all(streams)
