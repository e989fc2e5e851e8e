"""Threads for what waits on the users' database or on a password: one each, for the pod's life.

Django and asgiref give each request a thread of its own where it needs one, and the event loop
waits until that has begun: on a busy machine for a tenth of a second.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections

T = TypeVar("T")


@functools.cache
def _thread(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix=name)


async def in_thread(name: str, call: Callable[..., T], *arguments: object) -> T:
    """Return what a call returns that may use the database, made in the thread of this name when its turn comes."""

    def run() -> T:
        # One that the database has closed meanwhile is not used again.
        close_old_connections()
        return call(*arguments)

    return await asyncio.get_running_loop().run_in_executor(_thread(name), run)
