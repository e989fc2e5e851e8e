"""Requests that no client should send, and connections that are slow or used twice."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.support.http import HOST, exchange, open_stream, request_bytes
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event

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
def test_broken_request_harms_nobody_else(pod: Pod, raw: bytes):
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


async def test_connection_serves_several_requests_and_then_a_stream(pod: Pod, client_name: str):
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
