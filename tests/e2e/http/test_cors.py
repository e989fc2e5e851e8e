"""Which origins may read which paths."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import StartPod
from tests.e2e.http.expected import assert_error
from tests.support.http import HOST, EventStream, open_stream, request_bytes
from tests.support.pods import LOCKS_OFF, STARTS, Pod
from tests.support.redis_server import RedisServer, event

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
    for origin in evil:
        refused = pod.fetch("/events/CORS-0", headers={"Origin": origin})
        assert_error(refused, 403, "CORS_ALLOWED_ORIGINS")
        assert "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in pod.fetch("/health", headers={"Origin": origin}).headers


OTHER_SITES = [
    {"Origin": "https://evil.example"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": "null"},
]
OWN_SITE = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.sse.example"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://sse.example"},
    {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("start", STARTS)
async def test_a_page_of_another_site_evicts_nobody(
    start: str, start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    pod = start_pod(
        start,
        REDIS_URL=redis_server.url,
        ENVIRONMENT="production",
        **LOCKS_OFF,
        SECRET_KEY="only-for-tests-" + "x" * 50,
        ADMIN_TOKEN="only-for-tests-" + "y" * 50,
        CORS_ALLOWED_ORIGINS="https://shop.example",
        ALLOWED_HOSTS="sse.example,127.0.0.1",
    )
    async with await open_stream(pod.port, client_name) as stream:
        # More often than a duel takes.
        for headers in OTHER_SITES * 3:
            assert_error(pod.fetch(f"/events/{client_name}", headers=headers), 403, "another site")
        redis_server.publish(event(client_name, 1))
        await stream.until("evt-00000001")
    for number, headers in enumerate(OWN_SITE):
        async with await open_response_of("sse.example", pod, f"{client_name}-{number}", headers) as own:
            assert own.status == 200, headers


async def open_response_of(host: str, pod: Pod, name: str, headers: dict[str, str]) -> EventStream:
    reader, writer = await asyncio.open_connection(HOST, pod.port)
    head = request_bytes("GET", f"/events/{name}", headers)
    writer.write(head.replace(f"Host: {HOST}".encode(), f"Host: {host}".encode()))
    stream = EventStream(reader, writer)
    await stream.read_head()
    return stream
