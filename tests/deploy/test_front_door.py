"""Real front doors with the real configuration before three real pods."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from deploy.front_door import FrontDoorError, find_front_door
from tests.deploy.clusters import DOORS, PODS, RunningCluster, running_cluster
from tests.deploy.files import tool
from tests.support.http import HOST, EventStream, close_all, fetch, open_response, open_stream
from tests.support.redis_server import CHANNEL, RedisServer, event, free_port
from tests.support.waiting import eventually

FIRST_BYTE_SECONDS = 0.05


@pytest.fixture(scope="module", params=DOORS)
def cluster(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningCluster]:
    """A cluster that tests share: they may not end any part of it."""
    door = request.param
    tool(door, f"the package {door}")
    log_path = tmp_path_factory.mktemp("cluster") / f"{door}.log"
    with running_cluster(log_path, "--front-door", door, REDIS_URL=redis_server.url) as cluster:
        yield cluster


def test_find_front_door_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deploy.front_door.PATHS", "")
    with pytest.raises(FrontDoorError, match="haproxy is not installed"):
        find_front_door("haproxy")
    assert find_front_door("auto") is None
    assert find_front_door("none") is None


def pod_of(stream: EventStream) -> str:
    """Return the name of the pod that greeted a client."""
    assert stream.connected is not None
    name: str = stream.connected.json()["podName"]
    return name


async def open_streams(port: int, names: list[str]) -> list[EventStream]:
    return await asyncio.gather(*(open_stream(port, name) for name in names))


async def test_the_same_client_comes_to_the_same_pod(cluster: RunningCluster, client_names: Callable[[int], list[str]]):
    names = client_names(30)
    first = await open_streams(cluster.port, names)
    homes = [pod_of(stream) for stream in first]
    # All of them again, each from a connection of its own: each evicts its elder.
    second = await open_streams(cluster.port, names)
    try:
        assert [pod_of(stream) for stream in second] == homes
        assert set(homes) == PODS, "thirty clients spread over all pods"
        for name, home in zip(names[:5], homes[:5], strict=True):
            answer = await asyncio.to_thread(fetch, cluster.port, f"/admin/client/{name}")
            assert (answer.status, answer.json()["podName"]) == (200, home)
            page = await asyncio.to_thread(fetch, cluster.port, f"/admin/clients/{name}")
            assert home in page.body.decode()
    finally:
        await close_all([*first, *second])


async def test_a_pod_knows_the_address_of_its_device(cluster: RunningCluster, client_name: str):
    headers = {"X-Forwarded-For": "203.0.113.7"}
    async with await open_stream(cluster.port, client_name, headers=headers):
        page = await asyncio.to_thread(fetch, cluster.port, f"/admin/clients/{client_name}")
        assert "203.0.113.7" in page.body.decode()


async def test_an_event_passes_at_once(cluster: RunningCluster, redis_server: RedisServer, client_name: str):
    async with await open_stream(cluster.port, client_name) as stream:
        assert stream.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert "content-encoding" not in stream.headers
        seconds = []
        for number in range(15):
            published = time.perf_counter()
            redis_server.publish(event(client_name, number))
            assert await stream.next_json() == event(client_name, number)
            seconds.append(time.perf_counter() - published)
    assert statistics.median(seconds) < FIRST_BYTE_SECONDS, seconds


async def test_the_end_of_a_client_reaches_its_pod(cluster: RunningCluster, client_name: str):
    stream = await open_stream(cluster.port, client_name)
    path = f"/admin/client/{client_name}"
    assert (await asyncio.to_thread(fetch, cluster.port, path)).status == 200
    await stream.close()
    await eventually("the pod to let the client go", lambda: fetch(cluster.port, path).status == 404, 5)


def test_other_paths_pass(cluster: RunningCluster):
    body = b'{"clientName": "STORE001-LANE01"}'
    answer = fetch(cluster.port, "/register", method="POST", headers={"Content-Type": "application/json"}, body=body)
    assert (answer.status, answer.json()["success"]) == (200, True)
    health = fetch(cluster.port, "/health")
    assert (health.status, health.json()["status"]) == (200, "healthy")
    assert fetch(cluster.port, "/front-door/health").status == 200


@pytest.mark.parametrize("door", DOORS)
async def test_the_clients_of_a_killed_pod_go_to_the_others(
    door: str, tmp_path: Path, client_names: Callable[[int], list[str]]
):
    tool(door, f"the package {door}")
    redis_port = free_port()
    # With no REDIS_URL the cluster brings its own Redis, as `make cluster` does.
    with running_cluster(tmp_path / "cluster.log", "--front-door", door, REDIS_PORT=redis_port) as cluster:
        assert "embedded Valkey" in cluster.log
        names = client_names(12)
        streams = dict(zip(names, await open_streams(cluster.port, names), strict=True))
        homes = {name: pod_of(stream) for name, stream in streams.items()}
        lost = homes[names[0]]
        pids = cluster.pids()
        os.kill(pids[lost], signal.SIGKILL)
        for name in names:
            if homes[name] == lost:
                await streams[name].rest(10)
                await streams[name].close()
                streams[name] = await reconnect(cluster.port, name)
        now = {name: pod_of(stream) for name, stream in streams.items()}
        assert set(now.values()) == PODS - {lost}
        assert {name for name in names if now[name] != homes[name]} == {name for name in names if homes[name] == lost}
        with redis.Redis(host=HOST, port=redis_port) as publisher:
            for name, stream in streams.items():
                published = event(name)
                publisher.publish(CHANNEL, str(published).replace("'", '"'))
                assert await stream.next_json() == published
        await close_all(list(streams.values()))
        await eventually("its end to be told", lambda: f"{lost} ended with status -9" in cluster.log)
        assert cluster.stop() == 0
    assert not [pid for pid in pids.values() if psutil.pid_exists(pid)], "Ctrl-C ends all of it"


async def reconnect(port: int, name: str) -> EventStream:
    """Do what EventSource does after an end: ask the same address again, once.

    Any answer but a stream makes a browser give up for ever, so none is allowed here.
    """
    return await open_stream(port, name)


@pytest.mark.parametrize("door", DOORS)
async def test_the_clients_of_a_draining_pod_go_to_the_others_until_those_are_full(
    door: str, tmp_path: Path, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    tool(door, f"the package {door}")
    variables: dict[str, str | float] = {"REDIS_URL": redis_server.url, "DRAIN_SECONDS": 2, "MAX_CONNECTIONS": 12}
    with running_cluster(tmp_path / "cluster.log", "--front-door", door, **variables) as cluster:
        names = client_names(12)
        streams = await open_streams(cluster.port, names)
        leaving = pod_of(streams[0])
        os.kill(cluster.pids()[leaving], signal.SIGTERM)

        async def follow(name: str, stream: EventStream) -> EventStream:
            if pod_of(stream) != leaving:
                return stream
            assert [farewell.type for farewell in await stream.rest()] == ["draining"]
            await stream.close()
            # The least that a client waits which heeds the `retry` of its stream.
            await asyncio.sleep(1)
            return await reconnect(cluster.port, name)

        streams = await asyncio.gather(*map(follow, names, streams))
        assert {pod_of(stream) for stream in streams} == PODS - {leaving}

        late = [await open_response(cluster.port, f"{names[0]}-late-{number}") for number in range(20)]
        first = [await stream.next() for stream in late]
        kinds = Counter(event.type for event in first if event is not None)
        assert {stream.status for stream in late} == {200}
        assert set(kinds) == {"message", "overloaded"}
        if door == "nginx":
            # It asks the next pod where one is full, so that both are filled to the last place.
            assert kinds["message"] == 12
        await close_all([*streams, *late])


@pytest.mark.parametrize("option", ["--port", "--pod-ports"])
def test_says_in_one_line_that_a_port_is_taken(option: str, tmp_path: Path, redis_server: RedisServer):
    tool("nginx", "the package nginx")
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        ports = [str(port)] if option == "--port" else [str(port), str(free_port()), str(free_port())]
        cluster = RunningCluster(tmp_path / "log", "--front-door", "nginx", option, *ports, REDIS_URL=redis_server.url)
        assert cluster.process.wait(30) == 1
    (line,) = cluster.log.splitlines()
    assert line == f"[CLUSTER] Port {port} on {HOST} cannot be used: Address already in use."


def test_says_which_pod_did_not_start(tmp_path: Path, redis_server: RedisServer):
    port = free_port()
    cluster = RunningCluster(
        tmp_path / "log", "--front-door", "none", "--pod-ports", *[str(port)] * 3, REDIS_URL=redis_server.url
    )
    assert cluster.process.wait(30) == 1
    assert f"Port {port} on {HOST} cannot be used" in cluster.log
    assert re.search(r"(?m)^\[CLUSTER\] pod-[12] ended with status 1", cluster.log)
    assert "Traceback" not in cluster.log


def test_a_hang_up_ends_all_of_it(tmp_path: Path):
    """As where its terminal is closed: with the pods, and the Redis that it brought."""
    redis_port = free_port()
    variables: dict[str, str | float] = {"REDIS_PORT": redis_port}
    with running_cluster(tmp_path / "cluster.log", "--front-door", "none", **variables) as cluster:
        processes = psutil.Process(cluster.process.pid).children(recursive=True)
        assert cluster.stop(signal.SIGHUP) == 0
        _, alive = psutil.wait_procs(processes, timeout=5)
        assert not alive


def test_the_redis_that_it_brought_ends_though_it_is_killed(tmp_path: Path):
    redis_port = free_port()
    variables: dict[str, str | float] = {"REDIS_PORT": redis_port}
    with running_cluster(tmp_path / "cluster.log", "--front-door", "none", **variables) as cluster:
        children = psutil.Process(cluster.process.pid).children(recursive=True)
        pods = [child for child in children if "streamworker" in child.cmdline()]
        cluster.stop(signal.SIGKILL)
        others = [child for child in children if child not in pods]
        assert len(others) == 2
        _, alive = psutil.wait_procs(others, timeout=5)
        assert not alive
        for pod in pods:
            pod.kill()
