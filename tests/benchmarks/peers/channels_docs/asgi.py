"""The peer that Channels' documentation leads to: a `handle()` that loops, redis-py's pub/sub, plain Daphne.

https://channels.readthedocs.io/en/stable/topics/consumers.html#asynchttpconsumer
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any

import django
import redis.asyncio as redis
from channels.generic.http import AsyncHttpConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

settings.configure(SECRET_KEY="benchmark", ALLOWED_HOSTS=["*"], DATABASES={}, INSTALLED_APPS=["channels"])
django.setup()

CHANNEL = os.environ.get("REDIS_CHANNEL", "events-to-store")
POD_NAME = os.environ.get("POD_NAME", "local-pod")
HEARTBEAT_SECONDS = 30

queues: dict[str, asyncio.Queue[str]] = {}
subscribed = asyncio.Event()
tasks: list[asyncio.Task[None]] = []


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def listen() -> None:
    pubsub = redis.Redis.from_url(os.environ["REDIS_URL"]).pubsub()
    await pubsub.subscribe(CHANNEL)
    async for message in pubsub.listen():
        if message["type"] == "subscribe":
            subscribed.set()
            continue
        text = message["data"].decode()
        queue = queues.get(json.loads(text)["clientName"])
        if queue is not None:
            queue.put_nowait(f"data: {text}\n\n")


async def start_listening() -> None:
    if not tasks:
        tasks.append(asyncio.create_task(listen(), name="listen"))
    await subscribed.wait()


class ServerSentEventsConsumer(AsyncHttpConsumer):  # type: ignore[misc]
    async def handle(self, body: bytes) -> None:
        await start_listening()
        name = self.scope["url_route"]["kwargs"]["name"]
        queue: asyncio.Queue[str] = asyncio.Queue()
        queues[name] = queue
        await self.send_headers(
            headers=[
                (b"Cache-Control", b"no-cache"),
                (b"Content-Type", b"text/event-stream"),
                (b"Transfer-Encoding", b"chunked"),
            ]
        )
        hello = {"type": "connected", "clientName": name, "podName": POD_NAME, "timestamp": now()}
        await self.send_frame(f"data: {json.dumps(hello, separators=(',', ':'))}\n\n")
        try:
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        frame = await queue.get()
                except TimeoutError:
                    frame = f": heartbeat {now()}\n\n"
                await self.send_frame(frame)
        finally:
            if queues.get(name) is queue:
                del queues[name]

    async def send_frame(self, frame: str) -> None:
        await self.send_body(frame.encode(), more_body=True)


class HealthConsumer(AsyncHttpConsumer):  # type: ignore[misc]
    async def handle(self, body: bytes) -> None:
        await start_listening()
        payload: dict[str, Any] = {"status": "healthy", "podName": POD_NAME, "connections": len(queues)}
        await self.send_response(200, json.dumps(payload).encode(), headers=[(b"Content-Type", b"application/json")])


application = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [
                re_path(r"^events/(?P<name>[^/]+)$", ServerSentEventsConsumer.as_asgi()),
                re_path(r"^health$", HealthConsumer.as_asgi()),
            ]
        )
    }
)
