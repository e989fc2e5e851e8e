"""A pod on a machine without Redis brings its own, in development and nowhere else."""

from __future__ import annotations

import os
import signal
import socket

import psutil
import pytest

from tests.conftest import StartPod
from tests.support.http import HOST, open_stream
from tests.support.pods import PRODUCTION, environment, run_manage
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import wait_until


def answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1):
            return True
    except OSError:
        return False


async def test_brings_a_redis_that_ends_with_the_pod(start_pod: StartPod):
    port = free_port()
    pod = start_pod(REDIS_PORT=port)
    pod.wait_log(f"localhost:{port}")
    health = pod.json("/health")
    assert health["redis"] == {"connected": True, "channel": "events-to-store", "host": "localhost", "port": port}

    async with await open_stream(pod.port, "STORE001-LANE01") as stream:
        published = run_manage("publish_event", "STORE001-LANE01", "signature", env=environment(REDIS_PORT=port))
        assert published.returncode == 0, published.stderr
        assert "handed to 1 pod;" in published.stdout
        event = await stream.next_json()
        assert (event["clientName"], event["action"]) == ("STORE001-LANE01", "signature")

    servers = pod.ps.children(recursive=True)
    assert servers
    assert pod.terminate() == 0
    assert_all_end(servers)
    assert not answers(port)


def assert_all_end(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive, "the embedded server and its watcher are to end with their pod"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT])
def test_the_redis_that_it_brought_ends_however_the_pod_does(number: signal.Signals, start_pod: StartPod):
    port = free_port()
    pod = start_pod(REDIS_PORT=port)
    children = pod.ps.children(recursive=True)
    pod.terminate(number)
    assert_all_end(children)
    assert not answers(port)


def test_what_a_terminal_sends_to_all_ends_both(start_pod: StartPod):
    port = free_port()
    pod = start_pod(REDIS_PORT=port)
    children = pod.ps.children(recursive=True)
    # The pod is the first of its session, and so the number of its group.
    os.killpg(pod.process.pid, signal.SIGHUP)
    wait_until("the pod to end", lambda: not pod.running)
    assert pod.process.returncode == 0
    assert_all_end(children)
    assert not answers(port)


def test_uses_the_redis_that_is_there(start_pod: StartPod, mortal_redis: RedisServer):
    mortal_redis.start()
    pod = start_pod(REDIS_PORT=mortal_redis.port)
    assert not pod.ps.children(recursive=True), "there was one already"
    wait_until("the pod to be subscribed there", lambda: mortal_redis.subscribers() == 1)
    pod.terminate()
    assert mortal_redis.client.ping(), "what the pod did not start it may not end"


@pytest.mark.parametrize("name", ["REDIS_HOST", "REDIS_URL"])
def test_brings_none_where_one_is_named(start_pod: StartPod, name: str):
    port = free_port()
    address = "127.0.0.1" if name == "REDIS_HOST" else f"redis://127.0.0.1:{port}"
    pod = start_pod(ready=False, REDIS_PORT=port, **{name: address})
    pod.wait_live()
    assert pod.status("/health") == 503
    assert not answers(port)


def test_production_brings_none(start_pod: StartPod):
    port = free_port()
    finished = run_manage(
        "streamworker",
        "--port",
        str(free_port()),
        env=environment(**PRODUCTION, REDIS_PORT=port, POD_NAME="pod-1"),
        timeout=20,
    )
    assert finished.returncode != 0
    (line,) = finished.stderr.strip().splitlines()
    assert "REDIS_URL" in line
    assert not answers(port)
