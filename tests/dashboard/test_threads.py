from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from sseproject.threads import THREADS_KEPT, LendingThreads


class Recorder:
    """An application that works in a thread, and tells which it was."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.going = threading.Event()
        self.going.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.threads.append(await sync_to_async(self._work)())

    def _work(self) -> threading.Thread:
        self.going.wait()
        return threading.current_thread()


async def test_one_request_after_the_other_has_the_same_thread():
    recorder = Recorder()
    serve = LendingThreads(recorder)
    for _ in range(5):
        await serve({}, None, None)
    assert len(set(recorder.threads)) == 1
    assert recorder.threads[0] is not threading.current_thread()


async def test_requests_at_once_have_a_thread_each_and_few_are_kept():
    recorder = Recorder()
    recorder.going.clear()
    serve = LendingThreads(recorder)
    requests = [asyncio.ensure_future(serve({}, None, None)) for _ in range(THREADS_KEPT + 2)]
    await asyncio.sleep(0)
    recorder.going.set()
    await asyncio.gather(*requests)
    assert len(set(recorder.threads)) == THREADS_KEPT + 2
    assert len(serve._idle) == THREADS_KEPT


async def test_a_thread_whose_request_failed_is_not_lent_again():
    async def fail(scope: dict[str, Any], receive: Any, send: Any) -> None:
        raise ValueError("broken")

    serve = LendingThreads(fail)
    with pytest.raises(ValueError, match="broken"):
        await serve({}, None, None)
    assert serve._idle == []
