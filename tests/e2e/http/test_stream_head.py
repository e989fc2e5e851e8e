"""GET /events/NAME up to its first frame: which names, paths, methods and headers open a stream."""

from __future__ import annotations

import asyncio
import re
import socket
from urllib.parse import quote

import pytest

from tests.e2e.http.expected import BAD_NAMES, GOOD_NAMES, assert_error
from tests.support.http import HOST, EventStream, open_response, open_stream, request_bytes
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually


@pytest.mark.parametrize("name", GOOD_NAMES[:4])
async def test_stream_takes_every_good_name(pod: Pod, name: str):
    async with await open_stream(pod.port, name) as stream:
        assert stream.connected is not None
        assert stream.connected.json()["clientName"] == name
        assert pod.json(f"/admin/client/{name}")["client"]["clientName"] == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_stream_refuses_a_name_that_breaks_the_rule(pod: Pod, name: str):
    answer = pod.fetch(f"/events/{quote(name, safe='')}")
    assert_error(answer, 400, "1 to 128 characters")
    assert "x-injected" not in answer.headers
    assert b"\r" not in answer.body
    assert b"\n" not in answer.body


@pytest.mark.parametrize(
    "target", ["/events/", "/events/a/b", "/events/%", "/events/%zz", "/events/%ff", "/events/a%2Fb"]
)
def test_stream_refuses_a_broken_path(pod: Pod, target: str):
    answer = pod.fetch(target)
    assert answer.status in (400, 404)
    assert_error(answer, answer.status)


def test_stream_without_a_name_is_no_path(pod: Pod):
    assert_error(pod.fetch("/events"), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_stream_refuses_other_methods(pod: Pod, client_name: str, method: str):
    answer = pod.fetch(f"/events/{client_name}", method=method)
    assert_error(answer, 405, method)
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["allow"].split(", "))
    assert pod.status(f"/admin/client/{client_name}") == 404


async def test_stream_that_is_refused_answers_with_json(pod: Pod):
    response = await open_response(pod.port, "-bad")
    assert response.status == 400
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) > 0
    await response.close()


def test_stream_asked_for_with_head_has_its_headers_and_opens_none(pod: Pod, client_name: str):
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
async def test_stream_is_the_same_however_it_is_asked_for(pod: Pod, client_name: str, pieces: tuple[bytes, ...]):
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


async def test_stream_ignores_query_and_unknown_headers(pod: Pod, redis_server: RedisServer, client_name: str):
    headers = {"Last-Event-ID": "evt-\xff\xfe", "Accept": "text/event-stream", "Cookie": "a=b; " * 100}
    async with await open_stream(pod.port, f"{client_name}?clientName=other&t=1", headers=headers) as stream:
        redis_server.publish(event(client_name, 1))
        assert (await stream.next_json())["eventId"] == "evt-00000001"


async def test_stream_ignores_a_body(pod: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(pod.port, client_name, headers={"Content-Length": "0"}) as stream:
        redis_server.publish(event(client_name, 1))
        assert (await stream.next_json())["eventId"] == "evt-00000001"


def test_stream_can_be_asked_about_before_it_is_opened(pod: Pod, client_name: str):
    """HEAD and OPTIONS end, and leave their connection to the next request."""
    asked = b"".join(request_bytes(method, f"/events/{client_name}") for method in ("HEAD", "OPTIONS", "GET"))
    with socket.create_connection((HOST, pod.port), 10) as client:
        client.sendall(asked)
        received = b""
        while b'"connected"' not in received:
            received += client.recv(65536)
    heads = re.findall(rb"HTTP/1\.1 (\d+)", received)
    assert heads == [b"200", b"204", b"200"]
