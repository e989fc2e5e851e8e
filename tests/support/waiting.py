"""Waiting for something that must become true, with a deadline and never blindly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.02


def wait_until(what: str, condition: Callable[[], Any], timeout: float = 15.0) -> Any:
    """Return the condition's first true value; fail the test, naming `what`, at the deadline."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}; last saw {value!r}"
        time.sleep(POLL_SECONDS)
    return value


async def eventually(what: str, condition: Callable[[], Any], timeout: float = 15.0) -> Any:
    """Wait as wait_until() does, while the event loop turns."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}; last saw {value!r}"
        await asyncio.sleep(POLL_SECONDS)
    return value
