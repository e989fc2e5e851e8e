"""Any pod answers for the cluster: three pods, and a client on each."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, fetch, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

JSON = {"Content-Type": "application/json"}
channels = itertools.count(1)


class Cluster:
    """Three pods and the streams that they have, by client."""

    def __init__(self, pods: list[Pod]) -> None:
        self.pods = pods
        self.streams: dict[str, EventStream] = {}

    async def connect(self, place: int, *names: str) -> None:
        for name in names:
            self.streams[name] = await open_stream(self.pods[place].port, name, headers={"User-Agent": "Till 3"})

    async def said(self, target: str) -> Any:
        """Return what all pods say, without the moments at which each of them looked."""
        answers = await asyncio.gather(*(asyncio.to_thread(pod.json, f"/api/v1{target}") for pod in self.pods))
        for answer in answers:
            answer.pop("asOf", None)
        assert answers[0] == answers[1] == answers[2]
        return answers[0]

    async def until(self, target: str, **wanted: Any) -> Any:
        """Wait until the first pod's answer has these, and return what all say then."""

        def there() -> bool:
            # Nobody may be known by this name yet.
            answer = json.loads(self.pods[0].fetch(f"/api/v1{target}").body)
            return all(answer.get(key) == value for key, value in wanted.items())

        await asyncio.to_thread(wait_until, f"{wanted} at {target}", there)
        return await self.said(target)

    async def ask(self, place: int, method: str, target: str, body: bytes = b"") -> int:
        headers = JSON if body else {}
        answer = await asyncio.to_thread(
            fetch, self.pods[place].port, f"/api/v1{target}", method=method, headers=headers, body=body
        )
        return answer.status


@pytest.fixture
async def cluster(start_pod: StartPod, redis_server: RedisServer) -> AsyncIterator[Cluster]:
    channel = f"api-{next(channels)}"
    pods = [
        start_pod(ready=False, REDIS_URL=redis_server.url, REDIS_CHANNEL=channel, POD_NAME=f"pod-{number}")
        for number in range(1, 4)
    ]
    for pod in pods:
        pod.wait_ready()
        pod.wait_log("Hearing the other pods")
    cluster = Cluster(pods)
    # A pod that asks knows of the others by what they last said of themselves.
    await cluster_whole(cluster)
    yield cluster
    await close_all(list(cluster.streams.values()))


async def cluster_whole(cluster: Cluster) -> None:
    wait_until("three pods in the roster", lambda: len(cluster.pods[0].json("/api/v1/pods")["pods"]) == 3)


async def test_every_pod_gives_the_same_answers(cluster: Cluster):
    for place in range(3):
        await cluster.connect(place, f"STORE001-LANE0{place}", f"STORE00{place + 2}-LANE01")
    await cluster.connect(1, "alone")
    store = await cluster.until("/stores/STORE001", connected=3)
    assert [lane["podName"] for lane in store["clients"]] == ["pod-1", "pod-2", "pod-3"]
    complete = "/stores?state=complete"
    wait_until("all to be summed up", lambda: len(cluster.pods[0].json(f"/api/v1{complete}")["stores"]) == 5)
    stores = await cluster.said(complete)
    assert [each["store"] for each in stores["stores"]] == ["", "STORE001", "STORE002", "STORE003", "STORE004"]
    clients = await cluster.said("/clients?q=lane01&state=connected&limit=2")
    assert [each["clientName"] for each in clients["clients"]] == ["STORE001-LANE01", "STORE002-LANE01"]
    for name, place in (("STORE001-LANE00", 1), ("STORE001-LANE02", 3), ("alone", 2)):
        said = await cluster.said(f"/clients/{name}")
        assert (said["state"], said["podName"], said["eventCount"]) == ("connected", f"pod-{place}", 0)
        assert said["address"].startswith("127.0.0.1:")
        assert said["userAgent"] == "Till 3"
    pods = await asyncio.gather(*(asyncio.to_thread(pod.json, "/api/v1/pods") for pod in cluster.pods))
    for answer in pods:
        assert sorted(pod["podName"] for pod in answer["pods"]) == ["pod-1", "pod-2", "pod-3"]


async def test_a_stream_is_closed_from_any_pod(cluster: Cluster):
    name = "STORE001-LANE01"
    await cluster.connect(2, name)
    await cluster.until(f"/clients/{name}", state="connected")
    assert await cluster.ask(0, "DELETE", f"/clients/{name}/stream") == 202
    last = await cluster.streams[name].next()
    assert last is not None
    assert (last.type, last.json()["reason"]) == ("evicted", "operator")
    assert await cluster.streams[name].next() is None
    said = await cluster.until(f"/clients/{name}", state="offline")
    assert (said["lastReason"], said["podName"]) == ("operator", "pod-3")
    cluster.pods[0].wait_log(f"[AUDIT] anybody closed the stream of {name}")


async def test_a_trace_is_the_same_from_any_pod(cluster: Cluster):
    name = "STORE001-LANE01"
    await cluster.connect(0, name)
    await cluster.until(f"/clients/{name}", state="connected")
    await cluster.connect(1, name)
    # Its end is told by one pod, and its beginning by the other.
    await cluster.until(f"/clients/{name}", podName="pod-2")

    def kinds() -> list[tuple[str, str]]:
        entries = cluster.pods[2].json(f"/api/v1/clients/{name}/trace")["entries"]
        return sorted((entry["kind"], entry["podName"]) for entry in entries)

    wanted = [("evicted", "pod-1"), ("opened", "pod-1"), ("opened", "pod-2")]
    await asyncio.to_thread(wait_until, "the eviction in the trace", lambda: kinds() == wanted)
    said = await cluster.said(f"/clients/{name}/trace?minutes=5")
    assert said["sentence"].startswith("connected since ")
    assert " on pod-2; no event since" in said["sentence"]


async def test_what_a_store_has_is_said_on_any_pod(cluster: Cluster):
    await cluster.connect(0, "STORE001-LANE01")
    await cluster.until("/stores/STORE001", connected=1)
    body = b'{"lanes":["STORE001-LANE01","STORE001-LANE02"]}'
    assert await cluster.ask(1, "PUT", "/stores/STORE001/expected", body) == 200
    said = await cluster.said("/stores/STORE001")
    assert (said["expected"], said["lanes"]) == (2, 2)
    assert await cluster.ask(2, "DELETE", "/clients/STORE001-LANE02") == 204
    assert await cluster.ask(1, "DELETE", "/clients/STORE001-LANE02") == 404
    assert [lane["clientName"] for lane in (await cluster.said("/stores/STORE001"))["clients"]] == ["STORE001-LANE01"]


async def test_admin_paths_say_where_a_client_is(cluster: Cluster):
    """In the shape that they always had."""
    name, (first, _, third) = "STORE001-LANE01", cluster.pods
    await cluster.connect(2, name)
    await cluster.until(f"/clients/{name}", state="connected")
    here = await asyncio.to_thread(third.json, f"/admin/client/{name}")
    answer = await asyncio.to_thread(first.fetch, f"/admin/client/{name}")
    said = answer.json()
    assert (answer.status, said["found"], said["podName"]) == (404, False, "pod-1")
    assert (said["elsewhere"]["podName"], said["elsewhere"]["state"]) == ("pod-3", "connected")
    assert said["error"] == f"Client {name} is not on this pod. It is on pod-3 since {said['elsewhere']['since']}."
    for pod in cluster.pods:
        found = await asyncio.to_thread(pod.json, f"/admin/client/{name}?scope=cluster")
        assert found.keys() == here.keys()
        assert found["client"].keys() == here["client"].keys()
        assert (found["found"], found["podName"], found["client"]["podName"]) == (True, "pod-3", "pod-3")
        assert found["client"]["eventCount"] == 0


async def test_admin_connections_of_the_cluster(cluster: Cluster):
    names = [f"STORE001-LANE0{place}" for place in range(3)]
    for place, name in enumerate(names):
        await cluster.connect(place, name)
    await cluster.until("/stores/STORE001", connected=3)
    wait_until("all to be summed up", lambda: of_all(cluster.pods[0])["totalConnections"] == 3)
    for pod in cluster.pods:
        said = of_all(pod)
        assert [one["clientName"] for one in said["connections"]] == names
        assert [one["podName"] for one in said["connections"]] == ["pod-1", "pod-2", "pod-3"]
        assert pod.connections() == 1
        page = pod.json("/admin/connections?scope=cluster&limit=2&store=STORE001")
        assert (len(page["connections"]), page["nextCursor"]) == (2, names[1])
        left = pod.json(f"/admin/connections?scope=cluster&cursor={names[1]}")
        assert [one["clientName"] for one in left["connections"]] == names[2:]


def of_all(pod: Pod) -> Any:
    return pod.json("/admin/connections?scope=cluster")
