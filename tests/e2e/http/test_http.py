"""What the outside may ask of a pod, and what it is told when it asks wrongly."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import StartPod
from tests.support.http import (
    HOST,
    Answer,
    EventStream,
    exchange,
    open_response,
    open_stream,
    parse_answer,
    request_bytes,
)
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ORIGIN = {"Origin": "https://shop.example"}

GOOD_NAMES = ["a", "0", "STORE001-LANE01", "a.b_c:d-e", "Z" * 128]
BAD_NAMES = [
    "-a",
    ".a",
    "_a",
    ":a",
    "a b",
    " a",
    "a/b",
    "a%b",
    "é",
    "a\r\nX-Injected: yes",
    "a\0",
    "a\n",
    "Z" * 129,
    "日本",
]


def assert_error(answer: Answer, status: int, *words: str) -> Any:
    assert answer.status == status, answer
    error = answer.json()
    assert isinstance(error["error"], str)
    assert error["error"].endswith("."), "an error is a sentence"
    for word in words:
        assert word in error["error"]
    assert b"Traceback" not in answer.body
    assert b"<" not in answer.body, "never HTML from an API path"
    return error


def register(pod: Pod, body: bytes, **headers: str) -> Answer:
    return pod.fetch("/register", method="POST", body=body, headers={"Content-Type": "application/json", **headers})


# --- POST /register


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_register_answers_as_it_always_has(pod: Pod, name: str):
    answer = register(pod, json.dumps({"clientName": name}).encode())
    assert answer.status == 200
    assert list(answer.json()) == ["success", "clientName", "podName", "message", "timestamp"]
    timestamp = answer.json().pop("timestamp")
    assert TIMESTAMP.fullmatch(timestamp)
    assert answer.json() == {
        "success": True,
        "clientName": name,
        "podName": "pod-streamworker",
        "message": f"Client {name} registered. Connect to /events/{name} for SSE stream",
        "timestamp": timestamp,
    }


@pytest.mark.parametrize("name", [*BAD_NAMES, ""])
def test_register_refuses_a_name_that_breaks_the_rule(pod: Pod, name: str):
    answer = register(pod, json.dumps({"clientName": name}).encode())
    error = assert_error(answer, 400, "clientName", "1 to 128 characters")
    assert error["success"] is False
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize("name", [None, 5, 1.5, True, [], {}, ["STORE001"]])
def test_register_refuses_a_name_that_is_no_string(pod: Pod, name: Any):
    assert_error(register(pod, json.dumps({"clientName": name}).encode()), 400, "clientName", "string")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"STORE001"', b"5", b'{"clientname":"a"}', b'["clientName"]'])
def test_register_refuses_a_body_without_a_name(pod: Pod, body: bytes):
    assert_error(register(pod, body), 400, "clientName")


@pytest.mark.parametrize(
    "body", [b"", b"clientName=a", b"{", b'{"clientName":"\xff"}', b"\0", b"[" * 60_000, b'{"a":' * 10_000]
)
def test_register_refuses_what_is_not_json(pod: Pod, body: bytes):
    assert_error(register(pod, body), 400, "JSON")


def test_register_takes_any_content_type(pod: Pod):
    answer = register(pod, b'{"clientName":"a"}', **{"Content-Type": "text/plain"})
    assert answer.status == 200


def test_register_takes_64_kib_and_not_one_byte_more(pod: Pod):
    body = b'{"clientName":"a"}'
    assert register(pod, body.ljust(64 * 1024)).status == 200
    assert_error(register(pod, body.ljust(64 * 1024 + 1)), 413, "65536")


@pytest.mark.parametrize("size", [3_000_000, 20_000_000])
def test_register_refuses_a_large_body(pod: Pod, size: int):
    assert_error(register(pod, b'{"clientName":"a"}'.ljust(size)), 413, "65536")
    assert pod.status("/health") == 200


def test_register_refuses_a_large_body_that_comes_in_chunks(pod: Pod):
    head = request_bytes("POST", "/register", {"Connection": "close", "Transfer-Encoding": "chunked"})
    chunk = b"%x\r\n%b\r\n" % (2**16, b" " * 2**16)
    assert_error(parse_answer(exchange(pod.port, head + chunk * 3 + b"0\r\n\r\n")), 413, "65536")


def test_register_keeps_no_state(pod: Pod, client_name: str):
    before = pod.connections()
    assert register(pod, json.dumps({"clientName": client_name}).encode()).status == 200
    assert pod.connections() == before
    assert pod.status(f"/admin/client/{client_name}") == 404


# --- GET /events/NAME


@pytest.mark.parametrize("name", GOOD_NAMES[:4])
async def test_streams_take_every_good_name(pod: Pod, name: str):
    async with await open_stream(pod.port, name) as stream:
        assert stream.connected is not None
        assert stream.connected.json()["clientName"] == name
        assert pod.json(f"/admin/client/{name}")["client"]["clientName"] == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_streams_refuse_a_name_that_breaks_the_rule(pod: Pod, name: str):
    answer = pod.fetch(f"/events/{quote(name, safe='')}")
    assert_error(answer, 400, "1 to 128 characters")
    assert "x-injected" not in answer.headers
    assert b"\r" not in answer.body
    assert b"\n" not in answer.body


@pytest.mark.parametrize(
    "target", ["/events/", "/events/a/b", "/events/%", "/events/%zz", "/events/%ff", "/events/a%2Fb"]
)
def test_streams_refuse_a_broken_path(pod: Pod, target: str):
    answer = pod.fetch(target)
    assert answer.status in (400, 404)
    assert_error(answer, answer.status)


def test_events_alone_is_no_path(pod: Pod):
    assert_error(pod.fetch("/events"), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_streams_refuse_other_methods(pod: Pod, client_name: str, method: str):
    answer = pod.fetch(f"/events/{client_name}", method=method)
    assert_error(answer, 405, method)
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["allow"].split(", "))
    assert pod.status(f"/admin/client/{client_name}") == 404


def test_head_of_a_stream_has_its_headers_and_opens_none(pod: Pod, client_name: str):
    answer = pod.fetch(f"/events/{client_name}", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert pod.status(f"/admin/client/{client_name}") == 404


@pytest.mark.parametrize(
    "pieces",
    [
        (b"Host: x\r\nOrigin: https://shop.example\r\n\r\n",),
        (b"host:x\r\norigin:https://shop.example\t \r\n\r\n",),
        (b"Host: x\r\nOrigin: https://shop.example\r\nX-Odd-_Name!: 1\r\n\r\n",),
        (b"Host: x\r\nOrigin: https://shop.example\r\nContent-Length: 0\r\n\r\n",),
        (b"Host: x\r\nCookie: a=b\r\n c\r\nOrigin: https://shop.example\r\n\r\n",),
        (b"Host: x\r\nOrigin: https://sh", b"op.example\r\n\r\n"),
        (b"Host: x\r\nOrigin: https://shop.example\r\n\r\nGET /health HTTP/1.1\r\n\r\n",),
        (b"Host: x\r\nOrigin: https://shop.example\r\nUser-Agent: " + b"x" * 9000 + b"\r\n\r\n",),
    ],
)
async def test_a_stream_is_the_same_however_it_is_asked_for(pod: Pod, client_name: str, pieces: tuple[bytes, ...]):
    reader, writer = await asyncio.open_connection(HOST, pod.port)
    async with EventStream(reader, writer) as stream:
        # Plain heads that come in one piece are read in a way of their own.
        writer.write(f"GET /events/{client_name} HTTP/1.1\r\n".encode() + pieces[0])
        for piece in pieces[1:]:
            await writer.drain()
            writer.write(piece)
        await stream.read_head()
        assert stream.status == 200
        assert stream.headers["access-control-allow-origin"] == "*"
        assert stream.headers["transfer-encoding"] == "chunked"
        connected = await stream.next()
        assert connected is not None
        assert connected.json()["clientName"] == client_name
    await eventually("the pod to see it go", lambda: pod.status(f"/admin/client/{client_name}") == 404)


async def test_query_and_unknown_headers_change_nothing(pod: Pod, redis_server: RedisServer, client_name: str):
    headers = {"Last-Event-ID": "evt-\xff\xfe", "Accept": "text/event-stream", "Cookie": "a=b; " * 100}
    async with await open_stream(pod.port, f"{client_name}?clientName=other&t=1", headers=headers) as stream:
        redis_server.publish(event(client_name, 1))
        assert (await stream.next_json())["eventId"] == "evt-00000001"


async def test_a_body_sent_with_the_request_changes_nothing(pod: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(pod.port, client_name, headers={"Content-Length": "0"}) as stream:
        redis_server.publish(event(client_name, 1))
        assert (await stream.next_json())["eventId"] == "evt-00000001"


# --- Injection: whatever stands in a name, an id or a message, a client reads the events that were published


HOSTILE = [
    "evt-1\ndata: injected",
    "evt-1\r\n\r\ndata: injected\n\n",
    "evt-1\rdata: injected",
    "evt\0",
    "\ufeffevt",
    "é",
    "",
    "x" * 129,
    5,
    True,
    None,
    ["evt-1"],
    {"id": "evt-1"},
]


@pytest.mark.parametrize("ensure_ascii", [True, False])
async def test_no_event_can_say_more_than_itself(
    pod: Pod, redis_server: RedisServer, client_name: str, ensure_ascii: bool
):
    async with await open_stream(pod.port, client_name) as stream:
        for number, hostile in enumerate(HOSTILE):
            # The id that is still in force must be the last usable one, and never a mended one.
            says = event(client_name, number, data={"text": "\n\ndata: injected\n\nevent: evicted\n\n", "id": hostile})
            redis_server.publish(json.dumps({**says, "eventId": hostile, "action": hostile}, ensure_ascii=ensure_ascii))
            redis_server.publish(event(client_name, number))
            first, second = await stream.next(), await stream.next()
            assert first is not None
            assert second is not None
            assert first.json() == {**says, "eventId": hostile, "action": hostile}
            assert (first.type, first.data_lines) == ("message", 1)
            assert first.last_event_id in ("", f"evt-{number - 1:08d}"), "an id that breaks the rule is no id"
            assert (second.type, second.last_event_id) == ("message", f"evt-{number:08d}")


async def test_a_usable_id_is_the_event_id_to_the_letter(pod: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(pod.port, client_name) as stream:
        for event_id in ("1", "x" * 128, " leading", "trailing ", ": colon", "id: x", "~!\"#$%&'()*+,-./\\"):
            redis_server.publish(event(client_name, eventId=event_id))
            received = await stream.next()
            assert received is not None
            assert received.last_event_id == event_id


# --- CORS


def test_preflight_of_a_stream(pod: Pod, client_name: str):
    headers = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    answer = pod.fetch(f"/events/{client_name}", method="OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "last-event-id" in answer.headers["access-control-allow-headers"].lower()


def test_preflight_of_register(pod: Pod):
    headers = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = pod.fetch("/register", method="OPTIONS", headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize("target", ["/health", "/register", "/nowhere", "/events/-bad"])
def test_answers_and_errors_can_be_read_across_origins(pod: Pod, target: str):
    assert pod.fetch(target, headers=ORIGIN).headers["access-control-allow-origin"] == "*"


def test_operator_paths_cannot_be_read_across_origins(pod: Pod):
    assert "access-control-allow-origin" not in pod.fetch("/admin/connections", headers=ORIGIN).headers


async def test_only_listed_origins_are_allowed(start_pod: StartPod, redis_server: RedisServer):
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


# --- The other paths


def test_health_has_the_keys_that_it_always_had(pod: Pod, redis_server: RedisServer):
    answer = pod.fetch("/health")
    assert answer.status == 200
    health = answer.json()
    assert {"status", "podName", "uptime", "connections", "redis", "timestamp", "environment"} <= health.keys()
    assert health["status"] == "healthy"
    assert health["podName"] == "pod-streamworker"
    assert health["environment"] == "development"
    assert isinstance(health["uptime"], int)
    assert TIMESTAMP.fullmatch(health["timestamp"])
    assert health["redis"] == {
        "connected": True,
        "channel": "events-to-store",
        "host": HOST,
        "port": redis_server.port,
    }


async def test_admin_paths_have_the_keys_that_they_always_had(pod: Pod, client_name: str):
    async with await open_stream(pod.port, client_name):
        listing = pod.json("/admin/connections")
        assert {"podName", "totalConnections", "connections", "timestamp"} <= listing.keys()
        assert listing["podName"] == "pod-streamworker"
        assert listing["totalConnections"] == len(listing["connections"])
        (listed,) = (one for one in listing["connections"] if one["clientName"] == client_name)
        keys = {"clientName", "podName", "connectedAt", "lastActivity", "eventCount", "isAlive", "uptime"}
        assert keys <= listed.keys()
        found = pod.json(f"/admin/client/{client_name}")
        assert {"found", "podName", "client", "timestamp"} <= found.keys()
        assert found["found"] is True
        assert keys <= found["client"].keys()
        assert found["client"]["podName"] == "pod-streamworker"
        assert TIMESTAMP.fullmatch(found["client"]["connectedAt"])
        assert isinstance(found["client"]["uptime"], int)


@pytest.mark.parametrize("name", ["NOBODY", "a%0D%0AX-Injected:%20yes", "%3Cscript%3E", "%ff"])
def test_a_client_that_is_not_here(pod: Pod, name: str):
    answer = pod.fetch(f"/admin/client/{name}")
    assert answer.status == 404
    assert answer.json()["found"] is False
    assert answer.json()["error"]
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize(
    "target",
    ["/nowhere", "/register/", "/health/", "/healthz", "/admin/client/", "/favicon.ico", "/%0d%0aX-Injected:%20y"],
)
def test_an_unknown_path_is_404_in_json(pod: Pod, target: str):
    answer = pod.fetch(target)
    if target == "/favicon.ico" and answer.status != 404:
        return
    assert_error(answer, 404)
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/register"),
        ("PUT", "/register"),
        ("DELETE", "/register"),
        ("POST", "/health"),
        ("POST", "/health/live"),
        ("DELETE", "/health/ready"),
        ("POST", "/admin/connections"),
        ("POST", "/admin/client/NOBODY"),
        ("POST", "/metrics"),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(pod: Pod, method: str, target: str):
    answer = pod.fetch(target, method=method)
    assert_error(answer, 405, method)
    assert answer.headers["allow"]
    assert method not in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("target", ["/health", "/health/live", "/health/ready", "/admin/connections", "/metrics"])
def test_head_is_get_without_a_body(pod: Pod, target: str):
    answer = pod.fetch(target, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_metrics_are_prometheus_text(pod: Pod):
    answer = pod.fetch("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in answer.body.decode().splitlines():
        assert re.fullmatch(
            r'# (HELP|TYPE) \S+ .+|[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? \S+', line, re.IGNORECASE
        )


@pytest.mark.parametrize("host", ["", "x" * 300, "evil.example", "a b", "<script>", "[::1"])
def test_any_host_header_is_answered(pod: Pod, host: str):
    request = f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    answer = parse_answer(exchange(pod.port, request))
    assert answer.status in (200, 400)
    answer.json()


# --- Requests that no client should send


WEB_SOCKET = (
    b"GET /events/a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /health HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET http://\xff\xfe/ HTTP/1.1\r\nHost: x\r\n\r\n",
        WEB_SOCKET,
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_broken_request_harms_nobody_else(pod: Pod, raw: bytes):
    logged = len(pod.log)
    try:
        received = exchange(pod.port, raw, timeout=0.5)
    except (TimeoutError, ConnectionError):
        received = b""
    assert b"Traceback" not in received
    assert pod.status("/health") == 200
    assert "Traceback" not in pod.log[logged:]


async def test_slow_and_half_sent_requests_hold_nobody_up(pod: Pod, redis_server: RedisServer, client_name: str):
    whole = request_bytes("GET", f"/events/{client_name}-slow")
    slow = [await asyncio.open_connection(HOST, pod.port) for _ in range(50)]
    async with await open_stream(pod.port, client_name) as stream:
        for position in range(len(whole) - 1):
            for _, writer in slow:
                writer.write(whole[position : position + 1])
            if position % 10 == 0:
                redis_server.publish(event(client_name, position))
                assert (await stream.next_json(timeout=2))["data"]["number"] == position
        assert pod.status(f"/admin/client/{client_name}-slow") == 404
        # The last byte makes one of them a request.
        reader, writer = slow[0]
        writer.write(whole[-1:])
        assert b"200" in await asyncio.wait_for(reader.readline(), 5)
    for _, writer in slow:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in slow))


async def test_one_connection_serves_several_requests_and_then_a_stream(pod: Pod, client_name: str):
    reader, writer = await asyncio.open_connection(HOST, pod.port)
    for _ in range(3):
        writer.write(request_bytes("GET", "/health/live"))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b" 200 " in head
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await (reader.readexactly(int(length[1])) if length else reader.readuntil(b"\r\n0\r\n\r\n"))
    writer.write(request_bytes("GET", f"/events/{client_name}"))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"text/event-stream" in head
    assert b'"connected"' in await asyncio.wait_for(reader.readuntil(b"\n\n"), 5)
    writer.close()
    await writer.wait_closed()


async def test_ready_says_no_at_the_limit_of_connections(
    start_pod: StartPod, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    pod = start_pod(REDIS_URL=redis_server.url, MAX_CONNECTIONS=2)
    streams = [await open_stream(pod.port, name) for name in client_names(2)]
    ready = pod.fetch("/health/ready")
    assert_error(ready, 503, "limit", "2")
    assert pod.status("/health") == 200
    for stream in streams:
        await stream.close()
    deadline = time.monotonic() + 2
    while pod.status("/health/ready") != 200:
        assert time.monotonic() < deadline, "room was made and the pod does not say so"


async def test_headers_of_a_refused_stream_are_no_stream(pod: Pod):
    response = await open_response(pod.port, "-bad")
    assert response.status == 400
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) > 0
    await response.close()
