"""Publishing at a steady rate while a test does something else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable

from tests.support.redis_server import RedisServer


@contextlib.asynccontextmanager
async def publishing(
    server: RedisServer, channel: str, batch: Callable[[], Iterable[str | bytes]], every_seconds: float
) -> AsyncIterator[None]:
    """Publish a batch each time that so many seconds are over, for the length of a block."""
    enough = asyncio.Event()

    async def publish() -> None:
        began, batches = time.monotonic(), 0
        while not enough.is_set():
            batches += 1
            await asyncio.to_thread(server.publish_all, list(batch()), channel)
            await asyncio.sleep(began + batches * every_seconds - time.monotonic())

    running = asyncio.create_task(publish())
    try:
        yield
    finally:
        enough.set()
        await running
