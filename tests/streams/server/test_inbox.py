from __future__ import annotations

import asyncio

import pytest

from streams.server.inbox import Inbox

REQUEST = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT = {"type": "http.disconnect"}


async def test_get_returns_what_was_put_before_in_its_order():
    inbox = Inbox(asyncio.get_running_loop())
    inbox.put_nowait(REQUEST)
    inbox.put_nowait(DISCONNECT)
    assert await inbox.get() == REQUEST
    assert await inbox.get() == DISCONNECT


async def test_get_waits_for_what_comes_later():
    inbox = Inbox(asyncio.get_running_loop())
    waiting = inbox.get()
    assert not waiting.done()
    inbox.put_nowait(DISCONNECT)
    assert await waiting == DISCONNECT


async def test_put_keeps_what_comes_behind_a_message_that_was_not_yet_taken():
    inbox = Inbox(asyncio.get_running_loop())
    waiting = inbox.get()
    inbox.put_nowait(REQUEST)
    inbox.put_nowait(DISCONNECT)
    assert (await waiting, await inbox.get()) == (REQUEST, DISCONNECT)


async def test_put_loses_nothing_to_an_application_that_was_cancelled():
    inbox = Inbox(asyncio.get_running_loop())

    async def application() -> None:
        await inbox.get()

    task = asyncio.create_task(application())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    inbox.put_nowait(DISCONNECT)
    assert await inbox.get() == DISCONNECT
