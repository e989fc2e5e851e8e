"""The lock of the streams, without a server: what is refused how, and what stays of a token."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import Any

import msgspec
import pytest

from streams.errors import CloseReason
from streams.http.consumers import EventStreamConsumer
from streams.pod import Pod
from streams.roster.tracing.entries import Kind
from tests.streams.auth.issuer import SECRET, token
from tests.streams.builders import Recorder
from tests.streams.http.clients import Client, opened
from tests.support.waiting import eventually

SHOP = "https://shop.example"


def locked(pod: Pod, mode: str = "required") -> Pod:
    """Return another pod like this one, with its lock on."""
    conf = msgspec.structs.replace(
        pod.conf, stream_auth=mode, token_secret=SECRET, cors_allowed_origins=frozenset({SHOP})
    )
    pod = Pod(conf)
    pod.registry.subscribed = True
    return pod


def bearer(name: str, seconds: float = 600, **claims: Any) -> bytes:
    now = time.time()
    return b"Bearer " + token(**{"sub": name, "iat": now - 60, "exp": now + seconds, **claims}).encode()


async def refused(pod: Pod, name: str, **request: Any) -> tuple[int, bytes]:
    client = Client(pod, name, **request)
    await asyncio.wait_for(client.task, 5)
    assert client.error().endswith(".")
    return client.status, client.headers[b"WWW-Authenticate"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_required_refuses(pod: Pod, writers: list[Recorder], method: str):
    pod = locked(pod)
    good = bearer("A")
    scope = (403, b'Bearer error="insufficient_scope"')
    cases: list[tuple[dict[str, Any], tuple[int, bytes]]] = [
        ({}, (401, b"Bearer")),
        ({"authorization": b"Basic dTpw"}, (401, b"Bearer")),
        ({"authorization": b"Bearer x"}, (401, b'Bearer error="invalid_token"')),
        ({"authorization": bearer("a")}, scope),
        ({"authorization": bearer("A", sse={"subscribe": []})}, scope),
        ({"authorization": bearer("A", -60)}, (401, b'Bearer error="invalid_token"')),
        ({"authorization": good, "query": "token=x"}, (400, b'Bearer error="invalid_request"')),
        ({"authorization": b"Bearer a b"}, (400, b'Bearer error="invalid_request"')),
    ]
    for request, answer in cases:
        assert await refused(pod, "A", method=method, **request) == answer
    assert writers == []
    assert len(pod.registry) == 0
    text = "".join(f"{lane.sentence}{lane}" for lane in pod.locks.unwelcome)
    assert good.decode().split(".")[1] not in text


async def test_refusal_can_be_read_by_a_page_that_may(pod: Pod):
    client = Client(locked(pod), "A", origin=SHOP.encode())
    await asyncio.wait_for(client.task, 5)
    assert client.headers[b"Access-Control-Allow-Origin"] == SHOP.encode()


async def test_stream_takes_the_holder_of_its_token(pod: Pod, writers: list[Recorder]):
    pod = locked(pod)
    client = Client(pod, "A", authorization=bearer("A", jti="one"))
    connection = await opened(pod, "A")
    assert connection.holder is not None
    assert connection.holder.jti == "one"
    assert len(pod.guard.open_streams) == 1
    await client.leave()
    assert len(pod.guard.open_streams) == 0


async def test_expired_token_is_told_in_the_stream(pod: Pod, writers: list[Recorder], caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "sse")
    pod = locked(pod)
    expired: dict[str, Any] = {"authorization": bearer("A", -60), "accept": b"text/event-stream"}
    client = Client(pod, "A", **expired)
    await eventually("the stream to end", lambda: writers and writers[0].finished, 5)
    (event,) = writers[0].events
    assert (event.type, event.json()["reason"]) == ("unauthorized", "token-expired")
    assert pod.registry.turnover.closed[CloseReason.TOKEN_EXPIRED] == 1
    await client.leave()
    assert [record.name for record in caplog.records] == ["sse.auth"], "a herd of these has one line each at most"
    assert (await refused(pod, "A", prefer=b"status", **expired))[0] == 401
    head = Client(pod, "A", method="HEAD", **expired)
    await asyncio.wait_for(head.task, 5)
    assert head.status == 200


async def test_refusals_are_noted_in_the_trace(pod: Pod, writers: list[Recorder]):
    """Those of streams that are ended in the stream, too, and none that is let in."""
    pod = locked(pod)
    recorder = pod.roster.tracer.recorder
    await refused(pod, "A", authorization=b"Bearer x")
    client = Client(pod, "A", authorization=bearer("A", -60), accept=b"text/event-stream")
    await eventually("the stream to end", lambda: writers and writers[0].finished, 5)
    await client.leave()
    noted = [each for each in recorder.take(10, 1.0) if each.client_name == "A"]
    assert [(each.entry.kind, each.entry.reason, each.entry.count, each.of_known) for each in noted] == [
        (Kind.REFUSED, "token-invalid", 1, True),
        (Kind.REFUSED, "token-expired", 2, True),
    ]
    observing = locked(pod, "observe")
    client = Client(observing, "A")
    await opened(observing, "A")
    await client.leave()
    assert Kind.REFUSED not in [each.entry.kind for each in observing.roster.tracer.recorder.take(10, 1.0)]


@pytest.mark.parametrize("mode", ["off", "observe"])
async def test_nobody_is_refused_unless_it_is_required(pod: Pod, writers: list[Recorder], mode: str):
    pod = locked(pod, mode)
    good = {"authorization": bearer("A")}
    requests: list[dict[str, Any]] = [{}, {"authorization": b"Bearer x"}, good, {"query": "token=x"}]
    for headers in requests:
        client = Client(pod, "A", **headers)
        connection = await opened(pod, "A")
        assert connection.holder is None
        await client.leave()
    assert sum(pod.locks.counts.values()) == (4 if mode == "observe" else 0)
    assert [lane.times for lane in pod.locks.unwelcome] == ([1] if mode == "observe" else [])


async def test_nothing_of_a_token_stays_while_its_stream_is_open(pod: Pod, writers: list[Recorder]):
    pod = locked(pod)
    held = bearer("A") + b""
    headers = [(b"authorization", held)]
    before = sys.getrefcount(held), sys.getrefcount(headers)

    async def until_it_leaves() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_message: dict[str, Any]) -> None:
        pass

    left = asyncio.Event()
    scope = {"type": "http", "method": "GET", "path": "/events/A", "query_string": b"", "headers": headers}
    task = asyncio.create_task(EventStreamConsumer(pod)(scope, until_it_leaves, send))
    del scope
    await opened(pod, "A")
    gc.collect()
    assert (sys.getrefcount(held), sys.getrefcount(headers)) == before
    left.set()
    await asyncio.wait_for(task, 5)


async def test_cookie_is_for_the_same_origin_or_one_that_is_named(pod: Pod, writers: list[Recorder]):
    pod = locked(pod)
    cookie: dict[str, Any] = {"cookie": b"sse_token=" + bearer("A").removeprefix(b"Bearer "), "host": b"sse.example"}
    pages: list[dict[str, Any]] = [{}, {"sec_fetch_site": b"same-origin"}, {"origin": SHOP.encode()}]
    for page in pages:
        client = Client(pod, "A", **cookie, **page)
        await opened(pod, "A")
        await client.leave()
    assert await refused(pod, "A", **cookie, sec_fetch_site=b"same-site") == (401, b"Bearer")
