"""Pods know of each other: one of several says so, and two of one name are noticed."""

from __future__ import annotations

from tests.conftest import StartPod
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

NAMED_TWICE = "Another pod calls itself pod-under-test too"


def page(pod: Pod) -> str:
    return pod.fetch("/admin/pod").body.decode()


def test_two_pods_of_one_name_are_noticed(start_pod: StartPod, redis_server: RedisServer):
    pods = [start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="named-twice") for _ in range(2)]
    for pod in pods:
        pod.wait_log(NAMED_TWICE)
        assert pod.metric("sse_pod_namesakes") == 1
        assert NAMED_TWICE in page(pod)
    assert pods[0].terminate() == 0
    wait_until("the other to be forgotten", lambda: pods[1].metric("sse_pod_namesakes") == 0)
    assert pods[1].log.count(NAMED_TWICE) == 1
    assert NAMED_TWICE not in page(pods[1])


def test_one_pod_of_several_does_not_pass_for_all(start_pod: StartPod, redis_server: RedisServer):
    first, second = (
        start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="two-pods", POD_NAME=name) for name in ("pod-a", "pod-b")
    )
    wait_until("the pods to hear each other", lambda: first.metric("sse_pods") == second.metric("sse_pods") == 2)
    assert "This is pod-a alone, one of several pods: other clients are connected to pod-b." in page(first)
    assert first.json("/admin/client/X")["error"] == "Client X is not on this pod. No pod knows of it."
    assert NAMED_TWICE not in first.log + second.log
