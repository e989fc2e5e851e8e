"""The writer for any ASGI server; the one for Daphne's sockets is tested on a real pod."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.transport.socket_options import SocketOptions
from streams.transport.writer import SendWriter, open_writer
from tests.support.waiting import eventually

HEADERS = [(b"Content-Type", b"text/event-stream")]


class Server:
    """The ASGI server's side: takes messages, waits while it is told to, and may fail."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def send(self, message: dict[str, Any]) -> None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def ended(self) -> bool:
        return any(message.get("more_body") is False for message in self.messages)


@pytest.fixture
async def server() -> Server:
    return Server()


async def request() -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def request_task():
    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def writer(server: Server, request_task: asyncio.Task[None]) -> SendWriter:
    writer = open_writer(server.send, lambda: request_task, SocketOptions(30, 15))
    assert isinstance(writer, SendWriter), "what is not Daphne's is written through send()"
    return writer


async def test_starts_writes_and_finishes_in_order(server: Server, writer: SendWriter):
    writer.start(HEADERS, b"one\n\n")
    writer.write(b"two\n\n")
    writer.write(b"three\n\n")
    writer.finish()
    await eventually("the end", lambda: server.ended)
    first, *bodies = server.messages
    assert first == {"type": "http.response.start", "status": 200, "headers": HEADERS}
    assert {message["type"] for message in bodies} == {"http.response.body"}
    assert server.body == b"one\n\ntwo\n\nthree\n\n"
    assert [message["more_body"] for message in bodies] == [True] * (len(bodies) - 1) + [False]
    assert writer.backlog_bytes() == 0


async def test_the_head_is_sent_before_there_is_a_frame(server: Server, writer: SendWriter):
    writer.start(HEADERS, b"")
    await eventually("the head and an empty body", lambda: len(server.messages) == 2)
    assert not server.ended


async def test_counts_what_the_server_has_not_taken(server: Server, writer: SendWriter):
    writer.start(HEADERS, b"")
    await eventually("the head", lambda: server.messages)
    server.open.clear()
    for _ in range(10):
        writer.write(b"x" * 100)
    await asyncio.sleep(0)
    assert writer.backlog_bytes() == 1000
    assert writer.write(b"x") >= 900
    server.open.set()
    await eventually("all to be taken", lambda: writer.backlog_bytes() == 0)
    assert len(server.body) == 1001


async def test_abort_drops_what_waits_and_ends_the_request(
    server: Server, writer: SendWriter, request_task: asyncio.Task[None]
):
    server.open.clear()
    writer.start(HEADERS, b"x" * 1000)
    writer.write(b"x" * 1000)
    await asyncio.sleep(0)
    writer.abort()
    await eventually("the request to be cancelled", request_task.cancelled)
    await eventually("the backlog to be given back", lambda: writer.backlog_bytes() <= 0)
    server.open.set()
    await asyncio.sleep(0.01)
    assert server.messages == []


@pytest.mark.parametrize("error", [OSError("gone"), ConnectionResetError("gone")])
async def test_a_client_that_is_gone_is_no_error(
    server: Server, writer: SendWriter, error: OSError, caplog: pytest.LogCaptureFixture
):
    server.error = error
    writer.start(HEADERS, b"x" * 100)
    await eventually("the backlog to be given back", lambda: writer.backlog_bytes() <= 0)
    assert caplog.records == []


async def test_a_server_that_fails_is_logged_and_ends_the_request(
    server: Server, writer: SendWriter, request_task: asyncio.Task[None], caplog: pytest.LogCaptureFixture
):
    server.error = RuntimeError("Unexpected ASGI message")
    writer.start(HEADERS, b"x" * 100)
    await eventually("the error to be logged", lambda: caplog.records)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await eventually("the request to be cancelled", request_task.cancelled)
    assert writer.failed
    assert writer.backlog_bytes() == 0


async def test_a_writer_that_failed_keeps_and_sends_nothing_more(server: Server, writer: SendWriter):
    server.error = RuntimeError("Unexpected ASGI message")
    writer.start(HEADERS, b"x" * 100)
    await eventually("the failure", lambda: writer.failed)
    server.error = None
    writer.write(b"later")
    writer.finish()
    assert writer.backlog_bytes() == 0
    await asyncio.sleep(0)
    assert server.messages == []


async def test_asgi_shows_no_socket_to_ask(writer: SendWriter):
    assert writer.silent_seconds() == 0
