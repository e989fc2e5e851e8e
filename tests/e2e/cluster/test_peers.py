"""Pods know of each other: one of several says so, and two of one name are noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import close_all, open_stream
from tests.support.pods import Pod, environment, run_manage
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually, wait_until

NAMED_TWICE = "Another pod calls itself pod-under-test too"


def page(pod: Pod) -> str:
    return pod.fetch("/admin/pod").body.decode()


@pytest.mark.first
async def test_two_pods_of_one_name_are_noticed(start_pod: StartPod, redis_server: RedisServer):
    """Each client is where it is, all the same: the roster knows pods by their lives."""
    pods = [start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="named-twice") for _ in range(2)]
    streams = [await open_stream(pod.port, f"STORE001-LANE0{place}") for place, pod in enumerate(pods)]
    for pod in pods:
        await asyncio.to_thread(pod.wait_log, NAMED_TWICE)
        assert pod.metric("sse_pod_namesakes") == 1
        assert NAMED_TWICE in page(pod)
    said = await asyncio.to_thread(wait_until, "both lives on both pods", lambda: said_alike(pods))
    assert len({lane["life"] for lane in said["lanes"]}) == 2
    ports = [lane["address"].rpartition(":")[2] for lane in said["lanes"]]
    assert ports == [str(stream._writer.get_extra_info("sockname")[1]) for stream in streams]
    for pod in pods:
        assert "2 pods call themselves pod-under-test: set POD_NAME" in pod.fetch("/admin").body.decode()
    env = environment(REDIS_URL=redis_server.url, REDIS_CHANNEL="named-twice")
    examined = await asyncio.to_thread(run_manage, "doctor", env=env)
    assert examined.returncode == 1
    assert "several pods call themselves pod-under-test" in examined.stdout
    # Asked of the other, it ends this stream and no other.
    closed = await asyncio.to_thread(pods[1].fetch, "/api/v1/clients/STORE001-LANE00/stream", method="DELETE")
    assert closed.status == 202
    assert [event.type for event in await streams[0].rest()] == ["evicted"]
    assert [pod.connections() for pod in pods] == [0, 1]
    await close_all(streams)
    assert await asyncio.to_thread(pods[0].terminate) == 0
    await eventually("the other to be forgotten", lambda: pods[1].metric("sse_pod_namesakes") == 0)
    assert pods[1].log.count(NAMED_TWICE) == 1
    assert NAMED_TWICE not in page(pods[1])


def said_alike(pods: list[Pod]) -> Any:
    """Return what both pods say of the pods and of two lanes, once it is whole; it has to be the same."""
    said = [
        {
            "pods": sorted(each["life"] for each in pod.json("/api/v1/pods")["pods"]),
            "lanes": [pod.json(f"/api/v1/clients/STORE001-LANE0{place}") for place in range(2)],
        }
        for pod in pods
    ]
    for each in said:
        for lane in each["lanes"]:
            lane.pop("asOf", None)
    whole = len(said[0]["pods"]) == 2 and all(lane.get("address") for lane in said[0]["lanes"])
    return said[0] if whole and said[0] == said[1] else None


def test_one_pod_of_several_does_not_pass_for_all(start_pod: StartPod, redis_server: RedisServer):
    first, second = (
        start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="two-pods", POD_NAME=name) for name in ("pod-a", "pod-b")
    )
    wait_until("the pods to hear each other", lambda: first.metric("sse_pods") == second.metric("sse_pods") == 2)
    assert "This is pod-a alone, one of several pods: other clients are connected to pod-b." in page(first)
    assert first.json("/admin/client/X")["error"] == "Client X is not on this pod. No pod knows of it."
    assert NAMED_TWICE not in first.log + second.log
