"""The consumer on a pod whose server is a pair of plain functions: what is opened is closed, whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from django.conf import settings

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.http import consumers
from streams.http.answers import SERVICE_FAILED
from streams.http.consumers import EventStreamConsumer
from streams.pod import Pod
from tests.streams.builders import Recorder
from tests.support.waiting import eventually

DISCONNECT = {"type": "http.disconnect"}


@pytest.fixture
def pod() -> Pod:
    """A pod that takes clients; nothing of it runs."""
    pod = Pod(msgspec.structs.replace(settings.STREAMS, cors_allowed_origins=frozenset({"*"}), history_seconds=300))
    pod.registry.subscribed = True
    return pod


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    """The writer of each stream that was asked for, in their order."""
    made: list[Recorder] = []

    def open_writer(*_arguments: Any) -> Recorder:
        made.append(Recorder())
        return made[-1]

    monkeypatch.setattr(consumers, "open_writer", open_writer)
    return made


class Client:
    """One request, served in a task of its own."""

    def __init__(self, pod: Pod, name: str, *, method: str = "GET", query: str = "", **headers: bytes) -> None:
        self.sent: list[dict[str, Any]] = []
        self._error: Exception | None = None
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "http",
            "method": method,
            "path": f"/events/{name}",
            "query_string": query.encode(),
            "headers": [(key.replace("_", "-").encode(), value) for key, value in headers.items()],
            "client": ["10.0.0.7", 5000],
        }
        self._inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.task = asyncio.create_task(EventStreamConsumer(pod)(scope, self._inbox.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        if self._error is not None:
            raise self._error
        self.sent.append(message)

    def refuse(self, error: Exception) -> None:
        """Take nothing more, as a server that is out of step."""
        self._error = error

    async def leave(self) -> None:
        self._inbox.put_nowait(DISCONNECT)
        await asyncio.wait_for(self.task, 5)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    def error(self) -> Any:
        return json.loads(self.sent[1]["body"])["error"]


async def opened(pod: Pod, name: str) -> Connection:
    connection = await eventually(f"{name} to be opened", lambda: pod.registry.get(name), 5)
    assert isinstance(connection, Connection)
    return connection


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


async def test_stream_that_is_refused_and_fails_leaves_nothing(
    pod: Pod, writers: list[Recorder], monkeypatch: pytest.MonkeyPatch
):
    pod.draining = True
    monkeypatch.setattr(Recorder, "finish", lambda *_: 1 / 0)
    client = Client(pod, "A")
    await asyncio.wait_for(client.task, 5)
    assert len(pod.registry) == 0
    assert writers[0].aborted


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


async def test_refusal_is_said_in_the_stream(pod: Pod, writers: list[Recorder]):
    pod.draining = True
    client = Client(pod, "A")
    await eventually("the stream to end", lambda: writers and writers[0].finished, 5)
    assert writers[0].types == ["draining"]
    assert len(pod.registry) == 0
    await client.leave()


async def test_refusal_is_a_status_for_those_who_prefer_it(pod: Pod, writers: list[Recorder]):
    pod.draining = True
    client = Client(pod, "A", prefer=b"status", origin=b"https://shop.example")
    await asyncio.wait_for(client.task, 5)
    assert writers == []
    assert client.status == 503
    assert "draining" in client.error()
    assert 1 <= int(client.headers[b"Retry-After"]) <= 5
    assert client.headers[b"Access-Control-Allow-Origin"] == b"*"


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (lambda pod: Client(pod, "-a", origin=b"x"), 400),
        (lambda pod: Client(pod, "A", method="POST", origin=b"x"), 405),
        (lambda pod: Client(pod, "A", query="since=never", origin=b"x"), 400),
    ],
)
async def test_request_that_opens_no_stream_is_told_why(
    pod: Pod, writers: list[Recorder], request_of: Callable[[Pod], Client], status: int
):
    client = request_of(pod)
    await asyncio.wait_for(client.task, 5)
    assert client.status == status
    assert client.error().endswith(".")
    assert client.headers[b"Access-Control-Allow-Origin"] == b"*", "a page is to read it"
    assert writers == []


async def test_head_has_the_headers_of_a_stream_and_opens_none(pod: Pod, writers: list[Recorder]):
    client = Client(pod, "A", method="HEAD")
    await asyncio.wait_for(client.task, 5)
    assert client.status == 200
    assert client.headers[b"Content-Type"] == b"text/event-stream"
    assert writers == []


@pytest.mark.parametrize("name", ["A", "-a"])
async def test_options_is_answered_for_any_name(pod: Pod, writers: list[Recorder], name: str):
    """A page whose preflight fails cannot read what is wrong with the name."""
    client = Client(pod, name, method="OPTIONS", origin=b"https://shop.example")
    await asyncio.wait_for(client.task, 5)
    assert client.status == 204
    assert b"GET" in client.headers[b"Access-Control-Allow-Methods"]
    assert client.headers[b"Allow"] == b"GET, HEAD, OPTIONS"


OTHER_PAGES: list[dict[str, Any]] = [
    {"origin": b"https://evil.example"},
    {"sec_fetch_site": b"cross-site"},
    {"origin": b"null"},
]


@pytest.mark.parametrize("headers", OTHER_PAGES, ids=str)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_stream_that_another_sites_page_asks_for_evicts_nobody(
    pod: Pod, writers: list[Recorder], headers: dict[str, Any], method: str
):
    pod.conf = msgspec.structs.replace(pod.conf, cors_allowed_origins=frozenset({"https://shop.example"}))
    incumbent = Client(pod, "A")
    connection = await opened(pod, "A")
    stranger = Client(pod, "A", method=method, host=b"sse.example", **headers)
    await asyncio.wait_for(stranger.task, 5)
    assert stranger.status == 403
    assert "another site" in stranger.error()
    assert pod.registry.get("A") is connection
    assert len(writers) == 1
    await incumbent.leave()


async def test_request_that_fails_before_its_stream_is_500_in_json(
    pod: Pod, writers: list[Recorder], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(pod, "refusal", lambda *_arguments: 1 / 0)
    client = Client(pod, "A")
    await asyncio.wait_for(client.task, 5)
    assert (client.status, client.error()) == (500, SERVICE_FAILED)
    assert "ZeroDivisionError" in caplog.text
    assert (len(pod.registry), writers) == (0, [])
