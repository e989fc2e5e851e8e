"""The consumer on a pod whose server is a pair of plain functions: what is opened is closed, whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.http import consumers
from streams.pod import Pod
from tests.streams.builders import Recorder
from tests.streams.http.clients import Client, opened
from tests.support.waiting import eventually


@contextlib.contextmanager
def raising(pod: Pod, hook: str) -> Iterator[None]:
    """Let a step of the opening fail, as a bug would."""

    def fail(_connection: Connection) -> None:
        raise RuntimeError("this step fails")

    before = getattr(pod.registry, hook)
    setattr(pod.registry, hook, fail)
    yield
    setattr(pod.registry, hook, before)


async def test_stream_is_open_until_its_client_leaves(pod: Pod, writers: list[Recorder]):
    client = Client(pod, "A", last_event_id=b"evt-1", user_agent=b"Lane/1.0")
    connection = await opened(pod, "A")
    assert (connection.address, connection.user_agent) == ("10.0.0.7:5000", "Lane/1.0")
    assert writers[0].types[0] == "message"
    await client.leave()
    assert len(pod.registry) == 0
    assert connection.close_reason is CloseReason.CLIENT_CLOSED
    assert writers[0].finished


async def test_stream_holds_nothing_of_its_request(pod: Pod, writers: list[Recorder]):
    """Whatever a coroutine still names is memory that each of thousands of streams takes."""
    client = Client(pod, "A", origin=b"https://shop.example", last_event_id=b"evt-1")
    await opened(pod, "A")
    held: set[str] = set()
    coroutine: Any = client.task.get_coro()
    while coroutine.cr_code.co_filename == consumers.__file__:
        held |= set(coroutine.cr_frame.f_locals)
        coroutine = coroutine.cr_await
    assert held == {"self", "connection", "registry", "refusal", "receive", "stream"}
    await client.leave()


@pytest.mark.parametrize("hook", ["on_greeted", "on_open"])
async def test_stream_whose_opening_fails_is_taken_out_again(
    pod: Pod, writers: list[Recorder], hook: str, caplog: pytest.LogCaptureFixture
):
    with raising(pod, hook):
        client = Client(pod, "A", last_event_id=b"evt-1")
        await asyncio.wait_for(client.task, 5)
    assert len(pod.registry) == 0
    assert pod.registry.get("A") is None
    assert writers[0].aborted
    assert pod.registry.turnover.closed == {CloseReason.FAILED: 1}
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    assert client.sent == [], "the server is not asked to answer a second time"


async def test_stream_whose_writer_fails_is_taken_out_again(
    pod: Pod, writers: list[Recorder], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Recorder, "start", lambda *_: 1 / 0)
    client = Client(pod, "A")
    await asyncio.wait_for(client.task, 5)
    assert len(pod.registry) == 0
    assert writers[0].aborted


async def test_stream_whose_frames_the_server_refuses_is_taken_out_again(pod: Pod, caplog: pytest.LogCaptureFixture):
    """The frames are sent in a task of their own, whose end nobody awaits."""
    client = Client(pod, "A")
    await opened(pod, "A")
    await eventually("the greeting", lambda: len(client.sent) == 2, 5)
    client.refuse(RuntimeError("Unexpected ASGI message"))
    pod.registry.write(await opened(pod, "A"), b": heartbeat\n\n")
    await asyncio.wait_for(client.task, 5)
    assert len(pod.registry) == 0
    assert pod.registry.turnover.closed == {CloseReason.FAILED: 1}
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    assert len(client.sent) == 2


async def test_stream_whose_opening_fails_leaves_the_others_alone(pod: Pod, writers: list[Recorder]):
    incumbent, neighbour = Client(pod, "A"), Client(pod, "B")
    first, second = await opened(pod, "A"), await opened(pod, "B")
    with raising(pod, "on_greeted"):
        await asyncio.wait_for(Client(pod, "A", last_event_id=b"evt-1").task, 5)
    # The newcomer evicted it before it failed itself; nothing of either is left.
    assert first.close_reason is CloseReason.EVICTED
    assert writers[0].types[-1] == "evicted"
    assert writers[0].finished
    assert list(pod.registry) == [second]
    assert second.close_reason is None
    await incumbent.leave()
    again = Client(pod, "A")
    assert (await opened(pod, "A")).close_reason is None
    for client in (neighbour, again):
        await client.leave()
    assert len(pod.registry) == 0


async def test_server_that_stops_ends_the_stream_with_its_reason(pod: Pod, writers: list[Recorder]):
    client = Client(pod, "A")
    connection = await opened(pod, "A")
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    assert connection.close_reason is CloseReason.SERVER_STOPPED
    assert writers[0].types[-1] == "draining"


async def test_cut_by_this_pod_is_no_error_of_the_server(pod: Pod, writers: list[Recorder]):
    client = Client(pod, "A")
    connection = await opened(pod, "A")
    pod.registry.close(connection, CloseReason.SLOW_READER)
    client.task.cancel()
    await asyncio.wait_for(client.task, 5)
    assert connection.close_reason is CloseReason.SLOW_READER
