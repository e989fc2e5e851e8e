"""Which origins may read which paths."""

from __future__ import annotations

import pytest

from tests.conftest import StartPod
from tests.support.http import open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer

ORIGIN = {"Origin": "https://shop.example"}


def test_cors_preflight_of_a_stream(pod: Pod, client_name: str):
    headers = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    answer = pod.fetch(f"/events/{client_name}", method="OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "last-event-id" in answer.headers["access-control-allow-headers"].lower()


def test_cors_preflight_of_register(pod: Pod):
    headers = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = pod.fetch("/register", method="OPTIONS", headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize("target", ["/health", "/register", "/nowhere", "/events/-bad"])
def test_cors_lets_answers_and_errors_be_read(pod: Pod, target: str):
    assert pod.fetch(target, headers=ORIGIN).headers["access-control-allow-origin"] == "*"


def test_cors_leaves_operator_paths_out(pod: Pod):
    assert "access-control-allow-origin" not in pod.fetch("/admin/connections", headers=ORIGIN).headers


async def test_cors_allows_only_listed_origins(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, CORS_ALLOWED_ORIGINS="https://shop.example, http://localhost:8000")
    for number, origin in enumerate(("https://shop.example", "http://localhost:8000")):
        async with await open_stream(pod.port, f"CORS-{number}", headers={"Origin": origin}) as stream:
            assert stream.headers["access-control-allow-origin"] == origin
            assert stream.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in stream.headers
        assert pod.fetch("/health", headers={"Origin": origin}).headers["access-control-allow-origin"] == origin
    evil = ("https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null")
    for number, origin in enumerate(evil):
        async with await open_stream(pod.port, f"EVIL-{number}", headers={"Origin": origin}) as stream:
            assert "access-control-allow-origin" not in stream.headers
        assert "access-control-allow-origin" not in pod.fetch("/health", headers={"Origin": origin}).headers
