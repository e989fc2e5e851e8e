"""Tasks that go on for ever: named, held, and started again when they die."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger("sse.server")

RESTART_LOW_SECONDS = 0.5
RESTART_HIGH_SECONDS = 1.5
CANCEL_TRIES = 5
CANCEL_SECONDS = 1.0


class Backoff:
    """How long to wait before the next try: twice as long after each, up to a limit.

    Each pause is drawn between half of that and all of it, so that many pods do not try in step.
    """

    def __init__(self, low_seconds: float, high_seconds: float) -> None:
        self._low_seconds = low_seconds
        self._high_seconds = high_seconds
        self._seconds = low_seconds

    def reset(self) -> None:
        """Begin with the shortest pause again, after a try that succeeded."""
        self._seconds = self._low_seconds

    def next_seconds(self) -> float:
        """Draw the next pause."""
        seconds = self._seconds
        self._seconds = min(2 * seconds, self._high_seconds)
        return seconds * random.uniform(0.5, 1.0)

    async def pause(self) -> None:
        """Wait until the next try is due."""
        await asyncio.sleep(self.next_seconds())


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Await `run()` again and again; log why it ended when nobody cancelled it.

    A run that swallows a cancellation is begun again, and ends with the next one: see cancel().
    """
    while True:
        try:
            await run()
            logger.error("The %s task returned; it is started again", name)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            # Something that the run awaited may have been cancelled instead of this task.
            if task is None or task.cancelling():
                raise
            logger.exception("The %s task was cancelled from within; it is started again", name)
        except Exception:
            logger.exception("The %s task died; it is started again", name)
        await asyncio.sleep(random.uniform(RESTART_LOW_SECONDS, RESTART_HIGH_SECONDS))


class TaskList:
    """The supervised tasks of a process, by name: all that goes on there beside its requests."""

    def __init__(self, runs: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        self._runs = runs
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        # Whether one of them has ended: looking at each would cost every request some microseconds.
        self._ended = False

    def start(self) -> bool:
        """Start what `runs` holds now, on the running event loop; say whether that is another loop than before.

        Does nothing where all of it runs already, and after stop(): a request that comes then brings nothing back.
        """
        if self._stopped:
            return False
        loop = asyncio.get_running_loop()
        if self._loop is loop and not self._ended:
            return False
        is_new, self._loop, self._ended = self._loop is not loop, loop, False
        for task in self._tasks:
            task.cancel()
        self._tasks = [loop.create_task(supervise(name, run), name=f"sse-{name}") for name, run in self._runs.items()]
        for task in self._tasks:
            task.add_done_callback(self._note_end)
        return is_new

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._ended = self._ended or task in self._tasks

    async def stop(self) -> None:
        """Cancel all of it, for ever."""
        self._stopped = True
        tasks, self._tasks = self._tasks, []
        await cancel(tasks)


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
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    logger.error("The task %s failed", task.get_name(), exc_info=error)
    for task in pending:
        logger.error("The task %s does not end; the pod goes on without it", task.get_name())
