"""For whom a pod answers: ALLOWED_HOSTS on every path, one Host, and every form of a request's target."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from tests.conftest import StartPod
from tests.e2e.http.expected import assert_error
from tests.support.http import HOST, Answer, exchange, open_stream, parse_answer, request_bytes
from tests.support.pods import STARTS, Pod
from tests.support.redis_server import RedisServer

PATHS = [
    "/events/LANE",
    "/register",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/admin",
    "/admin/live",
    "/admin/connections",
    "/admin/client/LANE",
    "/admin/login/",
    "/",
    "/static/dashboard/icon.svg",
    "/nowhere",
]


def ask(pod: Pod, head: str) -> Answer:
    """Send a head as it stands, without a Host of its own."""
    return parse_answer(exchange(pod.port, f"{head}\r\nConnection: close\r\n\r\n".encode(), timeout=5))


def hosted(pod: Pod, target: str, host: str, method: str = "GET") -> Answer:
    return ask(pod, f"{method} {target} HTTP/1.1\r\nHost: {host}")


@pytest.fixture(scope="module")
def strict_pods(start_shared_pod: StartPod, redis_server: RedisServer) -> Callable[[str], Pod]:
    """Give a pod that answers for `sse.example` alone, for one way to start it."""
    return functools.cache(
        lambda start: start_shared_pod(start, REDIS_URL=redis_server.url, ALLOWED_HOSTS="sse.example")
    )


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("target", PATHS)
def test_every_path_refuses_a_host_that_is_not_allowed(strict_pods: Callable[[str], Pod], start: str, target: str):
    pod = strict_pods(start)
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        answer = hosted(pod, target, "evil.example", method)
        assert answer.status == 400, f"{method} {target}"
        assert answer.headers["date"]
    assert_error(hosted(pod, target, "evil.example"), 400, "ALLOWED_HOSTS", "evil.example")


async def test_stream_for_another_host_evicts_nobody(strict_pods: Callable[[str], Pod], client_name: str):
    pod = strict_pods("streamworker")
    async with await open_stream(pod.port, client_name) as stream:
        assert_error(hosted(pod, f"/events/{client_name}", "evil.example"), 400)
        assert pod.connections() == 1
        assert not stream.closed


@pytest.mark.parametrize("start", STARTS)
def test_a_listed_host_and_the_address_of_the_pod_are_answered(strict_pods: Callable[[str], Pod], start: str):
    """The second is what kubelet's probes and Prometheus send."""
    pod = strict_pods(start)
    for host in ("sse.example", "SSE.EXAMPLE:443", f"{HOST}:{pod.port}", HOST, f"localhost:{pod.port}"):
        for target in ("/health/live", "/health/ready", "/metrics"):
            assert hosted(pod, target, host).status == 200, f"{host}{target}"
    assert hosted(pod, "/", "sse.example").status == 200


def test_http_1_0_needs_no_host(strict_pods: Callable[[str], Pod]):
    pod = strict_pods("streamworker")
    assert ask(pod, "GET /health/live HTTP/1.0").status == 200
    assert_error(ask(pod, "GET /health/live HTTP/1.0\r\nHost: evil.example"), 400)


@pytest.mark.parametrize("start", ["streamworker", "daphne"])
@pytest.mark.parametrize("target", ["/health/live", "/events/LANE", "/events/LANE?since=5", "/admin"])
@pytest.mark.parametrize("hosts", [[], ["a", "a"], ["a", "b"], ["<script>"], ["a b"], ["[::1"]], ids=str)
def test_no_host_or_two_or_none_that_can_be_one_is_400(
    pods: Callable[[str], Pod], start: str, target: str, hosts: list[str]
):
    lines = "".join(f"\r\nHost: {host}" for host in hosts)
    assert_error(ask(pods(start), f"GET {target} HTTP/1.1{lines}"), 400, "Host")


@pytest.mark.parametrize("start", STARTS)
def test_the_absolute_form_is_the_path_in_it(pods: Callable[[str], Pod], start: str):
    pod = pods(start)
    for target in ("/health/live", "/admin?q=x", "/admin/client/NOBODY", "/nowhere", "/events/-bad"):
        absolute = hosted(pod, f"http://127.0.0.1:{pod.port}{target}", f"127.0.0.1:{pod.port}")
        plain = pod.fetch(target)
        assert (absolute.status, absolute.headers["content-type"]) == (plain.status, plain.headers["content-type"])


@pytest.mark.parametrize("start", ["streamworker", "daphne"])
async def test_the_absolute_form_opens_a_stream(pods: Callable[[str], Pod], start: str, client_name: str):
    pod = pods(start)
    request = request_bytes("HEAD", f"http://x:1/events/{client_name}", {"Connection": "close"})
    assert parse_answer(exchange(pod.port, request)).headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("start", ["streamworker", "daphne"])
def test_the_host_of_the_absolute_form_is_the_one_that_counts(strict_pods: Callable[[str], Pod], start: str):
    pod = strict_pods(start)
    assert_error(hosted(pod, "http://evil.example/health", "sse.example"), 400, "evil.example")
    assert hosted(pod, "http://sse.example/health/live", "evil.example").status == 200


@pytest.mark.parametrize("target", ["*", "sse.example:443", "ftp://sse.example/", "events/LANE"])
def test_a_target_that_is_no_path_is_400(pod: Pod, target: str):
    for method in ("GET", "CONNECT", "OPTIONS"):
        assert_error(hosted(pod, target, "sse.example", method), 400, "path")
