"""A pod that is told to stop says farewell, and ends in time and in order."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from tests.conftest import StartPod
from tests.support.http import HOST, close_all, open_response, open_stream, request_bytes
from tests.support.pods import environment, run_python
from tests.support.redis_server import RedisServer, event, free_port
from tests.support.waiting import eventually


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_says_farewell_and_ends(number: signal.Signals, start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url)
    streams = [await open_stream(pod.port, f"STOP-{count}") for count in range(20)]
    half_sent = [await asyncio.open_connection(HOST, pod.port) for _ in range(3)]
    whole = request_bytes("GET", "/events/HALF")
    for (_, writer), part in zip(half_sent, (b"", whole[:10], whole[:-2]), strict=True):
        writer.write(part)
        await writer.drain()
    body_reader, body_writer = await asyncio.open_connection(HOST, pod.port)
    body_writer.write(request_bytes("POST", "/register", {"Content-Length": "500"}) + b'{"clientName":')
    # Answered after them, so the pod has read what was sent before.
    assert pod.connections() == 20

    pod.process.send_signal(number)
    for stream in streams:
        events = await stream.rest()
        assert [event.type for event in events] == ["draining"], "one farewell, and then the end"
        farewell = events[0].json()
        assert farewell["type"] == "draining"
        assert farewell["podName"] == "pod-under-test"
        assert farewell["timestamp"]
        assert stream.ended, "the response is to end, not to be cut"
    await eventually("the pod to end", lambda: pod.process.poll() is not None)
    assert pod.process.returncode == 0
    pod.assert_no_traceback()
    assert pod.log.rstrip().count(f"{number.name}: ") == 1
    for _, writer in [*half_sent, (body_reader, body_writer)]:
        writer.close()
    await close_all(streams)


@pytest.mark.parametrize("start", ["daphne", "uvicorn"])
async def test_other_servers_end_too(start: str, start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(start, REDIS_URL=redis_server.url)
    # Uvicorn cancels what is left after its grace, and logs each cancellation with a traceback.
    pod.may_log_tracebacks = start == "uvicorn"
    streams = [await open_stream(pod.port, f"STOP-{count}") for count in range(5)]
    pod.process.send_signal(signal.SIGTERM)
    for stream in streams:
        await stream.rest()
        await stream.close()
    await eventually("the pod to end", lambda: pod.process.poll() is not None)


async def test_a_hang_up_drains_it_and_a_second_one_changes_nothing(start_pod: StartPod, redis_server: RedisServer):
    """A terminal that closes sends one, and so does its shell."""
    pod = start_pod(REDIS_URL=redis_server.url, DRAIN_SECONDS=2)
    streams = [await open_stream(pod.port, f"STOP-{count}") for count in range(10)]
    began = time.monotonic()
    for _ in range(3):
        pod.process.send_signal(signal.SIGHUP)
    for stream in streams:
        assert [event.json()["reason"] for event in await stream.rest()] == ["draining"]
        await stream.close()
    assert time.monotonic() - began > 1, "the clients are to leave one by one"
    await eventually("the pod to end", lambda: pod.process.poll() is not None)
    assert pod.process.returncode == 0
    assert pod.log.count("SIGHUP: ") == 1


async def test_a_hang_up_is_ignored_where_its_parent_had_it_ignored(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    """As nohup has."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        pod = start_pod(REDIS_URL=redis_server.url)
    finally:
        signal.signal(signal.SIGHUP, before)
    async with await open_stream(pod.port, client_name) as stream:
        pod.process.send_signal(signal.SIGHUP)
        redis_server.publish(event(client_name, 1))
        assert (await stream.next_json())["eventId"] == "evt-00000001"
    assert pod.running
    assert "SIGHUP" not in pod.log


async def test_stops_while_clients_wait_for_redis(start_pod: StartPod, mortal_redis: RedisServer):
    pod = start_pod(ready=False, REDIS_URL=mortal_redis.url)
    pod.wait_live()
    waiting = [await open_response(pod.port, f"WAIT-{count}") for count in range(5)]
    began = time.monotonic()
    pod.process.send_signal(signal.SIGTERM)
    for stream in waiting:
        await stream.rest()
        await stream.close()
    await eventually("the pod to end", lambda: pod.process.poll() is not None)
    assert pod.process.returncode == 0
    assert time.monotonic() - began < 5


async def test_stops_though_a_client_reads_nothing(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, STALL_SECONDS=1, LOG_LEVEL="warning")
    stream = await open_stream(pod.port, "UNREAD")
    # More than the sockets between them hold.
    message = b'{"clientName":"UNREAD","data":"%b"}' % (b"x" * 100_000)
    before = pod.metric("sse_events_received_total")
    for _ in range(10):
        redis_server.publish(message)
    await eventually("the events to be heard", lambda: pod.metric("sse_events_received_total") >= before + 10)
    pod.process.send_signal(signal.SIGTERM)
    await eventually("the pod to end", lambda: pod.process.poll() is not None)
    assert pod.process.returncode == 0
    await stream.close()


def test_a_pod_that_is_killed_leaves_its_port_to_the_next(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url)

    async def hold_and_kill() -> None:
        stream = await open_stream(pod.port, "KILLED")
        pod.process.kill()
        await stream.rest()
        assert not stream.ended, "a cut is not an orderly end"
        await stream.close()

    asyncio.run(hold_and_kill())
    pod.process.wait()
    second = start_pod(REDIS_URL=redis_server.url, ready=False)
    second.wait_ready()


# Told to stop as soon as it has started.
FAILING_STOP = """
import os, signal, sys
from sseproject.asgi import application
from streams.pod import get_pod
from streams.server.daphne import StreamServer

async def fail():
    raise RuntimeError("this stop fails")

pod = get_pod()
pod.start = lambda: os.kill(os.getpid(), signal.SIGTERM)
pod.stop = fail
StreamServer(application, pod, host="127.0.0.1", port=int(sys.argv[1])).run()
"""


def test_stop_that_fails_is_logged_and_ends_all_the_same(redis_server: RedisServer):
    """It is a task that nobody awaits."""
    env = environment(REDIS_URL=redis_server.url)
    done = run_python("-c", FAILING_STOP, str(free_port()), env=env)
    assert done.returncode == 0
    assert "[SERVER] The stop failed" in done.stderr
    assert done.stderr.count("RuntimeError: this stop fails") == 1
