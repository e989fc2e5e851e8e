"""A small server of streams that loses, doubles and reorders when told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable

import redis.asyncio as redis

Frames = list[bytes]


class Hub:
    """Serves streams from one Redis channel on a thread; `mangle` maps the frames of a message."""

    def __init__(self, redis_url: str) -> None:
        self.redis_url = redis_url
        self.mangle: Callable[[int, bytes], Frames] = lambda _, frame: [frame]
        self.refuses = False
        self.port = 0
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.count = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="hub")

    def __enter__(self) -> Hub:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        client = redis.Redis.from_url(self.redis_url)
        pubsub = client.pubsub()
        await pubsub.subscribe("events-to-store")
        listener = asyncio.create_task(self._listen(pubsub))
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        listener.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(listener, *self._tasks, return_exceptions=True)
        await pubsub.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._stream(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if self.refuses:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return
        self._writers[request.split()[1].rpartition(b"/")[2].decode()] = writer
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        write(writer, b'retry: 1000\ndata: {"type":"connected"}\n\n')
        with contextlib.suppress(ConnectionError):
            await reader.read()

    async def _listen(self, pubsub: redis.client.PubSub) -> None:
        async for message in pubsub.listen():
            if message["type"] == "message" and (
                writer := self._writers.get(json.loads(message["data"])["clientName"])
            ):
                self.count += 1
                for frame in self.mangle(self.count, b"data: %b\n\n" % message["data"]):
                    write(writer, frame)


def write(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(body), body))
