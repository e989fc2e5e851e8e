"""Threads for the parts of Django that wait: lent to one request after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext

# As many as requests are in Django at one moment, but for a rush.
THREADS_KEPT = 4

Application = Callable[..., Awaitable[None]]


class LendingThreads:
    """An ASGI application whose requests each have a thread to themselves, which was there before.

    Django begins a new one for each request, some lines of its own handler being no coroutines, and
    the event loop waits until it runs: on a busy machine for a tenth of a second.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        whole = False
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._application(scope, receive, send)
            whole = True
        finally:
            # One whose request was given up may still be at work for it.
            if whole and len(self._idle) < THREADS_KEPT:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)
