"""What a request's application waits for."""

from __future__ import annotations

import asyncio
from typing import Any


class Inbox:
    """What a request's application receives: its body, then its end.

    One future for each message that is waited for, instead of an asyncio.Queue of 3 KiB
    for each of thousands of streams that wait for a single message.
    """

    __slots__ = ("_loop", "_messages", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Asking for the running one is a system call in Python 3.11.
        self._loop = loop
        self._messages: list[dict[str, Any]] = []
        self._waiter: asyncio.Future[dict[str, Any]] | None = None

    def put_nowait(self, message: dict[str, Any]) -> None:
        """Hand over a message; the name is the one that Daphne calls."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(message)
        else:
            self._messages.append(message)

    def get(self) -> asyncio.Future[dict[str, Any]]:
        """Return the next message as ASGI's receive()."""
        self._waiter = self._loop.create_future()
        if self._messages:
            self._waiter.set_result(self._messages.pop(0))
        return self._waiter
