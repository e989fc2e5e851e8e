"""Tasks that go on for ever: named, held, and started again when they die."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

log = logging.getLogger("sse.server")

RESTART_LOW_SECONDS = 0.5
RESTART_HIGH_SECONDS = 1.5
CANCEL_TRIES = 5
CANCEL_SECONDS = 1.0


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
    """Cancel tasks and wait until they have cleaned up after themselves.

    Libraries have been seen to swallow a cancellation that meets them at the wrong
    moment, so it is repeated, and a stop never waits for one of them for ever.
    """
    pending = set(tasks)
    for _ in range(CANCEL_TRIES):
        for task in pending:
            task.cancel()
        if pending:
            done, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
            await asyncio.gather(*done, return_exceptions=True)
    for task in pending:
        log.error("The task %s does not end; the pod goes on without it", task.get_name())
