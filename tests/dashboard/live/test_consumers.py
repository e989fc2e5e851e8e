from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dashboard.cluster.clients import ClientPage
from dashboard.cluster.pages import FrontPage, StorePage, StoresPage
from dashboard.content.pages import PodPage
from dashboard.live import consumers
from dashboard.live.board import Board, Page
from dashboard.live.consumers import LiveConsumer, is_live, wanted_page
from streams.http.answers import Refused
from tests.dashboard.conftest import TOKEN
from tests.streams.builders import Recorder


def scope(query: str = "", method: str = "GET", **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": "/admin/live",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


async def refused(*arguments: Any, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await wanted_page(scope(*arguments, **more))
    return caught.value


def test_is_live_on_its_path_alone() -> None:
    assert is_live({"path": "/admin/live"})
    assert not is_live({"path": "/admin/live/"})


async def test_wanted_page_is_a_client_or_the_pod() -> None:
    assert await wanted_page(scope("client=STORE001-LANE01")) == ClientPage("STORE001-LANE01")
    assert isinstance(await wanted_page(scope("client=")), PodPage)
    assert isinstance(await wanted_page(scope("q=STORE&sort=name")), PodPage)


async def test_wanted_page_is_of_the_cluster() -> None:
    assert await wanted_page(scope("of=cluster")) == FrontPage()
    wanted = await wanted_page(scope("of=stores&state=dark&q=7&cursor=dark:STORE1/"))
    assert wanted == StoresPage("dark", "7", "dark:STORE1/")
    assert await wanted_page(scope("of=store&store=STORE001&cursor=STORE001-LANE01")) == StorePage(
        "STORE001", "STORE001-LANE01"
    )
    assert isinstance(await wanted_page(scope("of=nothing")), PodPage)


async def test_wanted_page_refuses_other_methods() -> None:
    error = await refused(method="POST")
    assert (error.status, error.headers) == (405, [(b"Allow", b"GET")])


async def test_wanted_page_refuses_strangers(production: None) -> None:
    error = await refused()
    assert (error.status, error.headers) == (401, [(b"WWW-Authenticate", b"Bearer")])
    assert isinstance(await wanted_page(scope(authorization=f"Bearer {TOKEN}")), PodPage)


async def test_wanted_page_refuses_too_many_parameters() -> None:
    error = await refused("&".join(["a=1"] * 1500))
    assert error.status == 400


async def test_consumer_cuts_a_stream_that_fails_once_it_has_begun(
    board: Board, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is given the exception can only begin another answer."""
    writer = Recorder()
    monkeypatch.setattr(consumers, "open_writer", lambda *_: writer)

    async def fail() -> dict[str, Any]:
        raise RuntimeError("this server fails")

    await LiveConsumer(board)(scope(), fail, None)  # type: ignore[arg-type]
    assert len(writer.frames) == 1
    assert writer.aborted
    assert board._own.all() == []
    assert "this server fails" in caplog.text


async def test_consumer_answers_like_every_other_path(board: Board) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await LiveConsumer(board)(scope(method="PUT"), asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 405
    assert (b"Content-Type", b"application/json") in sent[0]["headers"]
    assert list(json.loads(sent[1]["body"])) == ["success", "error", "timestamp"]


async def test_consumer_writes_to_a_page_that_is_still_there_when_all_is_read(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leaves meanwhile has no connection to write to; what there is then is found out after that."""
    order: list[str] = []
    writer = Recorder()

    async def first(_page: Page) -> bytes:
        order.append("read")
        return b""

    monkeypatch.setattr(board, "first", first)

    def open_writer(*_: Any) -> Recorder:
        order.append("writer")
        return writer

    monkeypatch.setattr(consumers, "open_writer", open_writer)

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    await LiveConsumer(board)(scope("of=cluster"), gone, None)  # type: ignore[arg-type]
    assert order == ["read", "writer"]
    assert board._cluster.all() == []
