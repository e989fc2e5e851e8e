"""Requests that open no stream: what they are told, and that they leave nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streams.http.answers import SERVICE_FAILED
from streams.pod import Pod
from tests.streams.builders import Recorder
from tests.streams.http.clients import Client, opened
from tests.support.waiting import eventually


async def test_stream_that_is_refused_and_fails_leaves_nothing(
    pod: Pod, writers: list[Recorder], monkeypatch: pytest.MonkeyPatch
):
    pod.draining = True
    monkeypatch.setattr(Recorder, "finish", lambda *_: 1 / 0)
    client = Client(pod, "A")
    await asyncio.wait_for(client.task, 5)
    assert len(pod.registry) == 0
    assert writers[0].aborted


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
