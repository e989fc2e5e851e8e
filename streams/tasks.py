"""Tasks that go on for ever: named, held, and started again when they die."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

log = logging.getLogger("sse.server")

RESTART_LOW_SECONDS = 0.5
RESTART_HIGH_SECONDS = 1.5


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Await `run()` again and again; log why it ended when nobody cancelled it."""
    while True:
        try:
            await run()
            log.error("The %s task returned; it is started again", name)
        except Exception:
            log.exception("The %s task died; it is started again", name)
        await asyncio.sleep(random.uniform(RESTART_LOW_SECONDS, RESTART_HIGH_SECONDS))


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have cleaned up after themselves."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
