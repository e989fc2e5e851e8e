from __future__ import annotations

import json
import time
from typing import Any

import pytest

from streams.http.tokens.renewals import RenewalConsumer, is_renewal
from streams.locks import renewals
from streams.pod import Pod
from tests.streams.builders import Recorder
from tests.streams.http.clients import Client, opened
from tests.streams.http.tokens.test_unlocking import SHOP, bearer, locked


def scope_of(path: str, method: str = "POST", headers: dict[str, bytes] | None = None) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value) for name, value in (headers or {}).items()]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": named}


async def renew(pod: Pod, name: str, **headers: bytes) -> tuple[int, str, dict[bytes, bytes]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("a renewal has no body")

    await RenewalConsumer(pod)(scope_of(f"/events/{name}/token", headers=headers), receive, send)
    body = sent[1]["body"]
    return sent[0]["status"], json.loads(body)["error"] if body else "", dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("mode", "path", "method", "is_one"),
    [
        ("required", "/events/A/token", "POST", True),
        ("observe", "/events/A/token", "POST", True),
        ("off", "/events/A/token", "POST", False),
        ("required", "/events/A/token", "GET", False),
        ("required", "/events/token", "POST", False),
        ("required", "/events/A", "POST", False),
    ],
)
def test_is_renewal(pod: Pod, mode: str, path: str, method: str, is_one: bool):
    assert is_renewal(scope_of(path, method), locked(pod, mode)) is is_one


async def test_renewal_of_a_stream_of_this_pod(pod: Pod, writers: list[Recorder]):
    pod = locked(pod)
    client = Client(pod, "A", authorization=bearer("A", 100))
    connection = await opened(pod, "A")
    status, error, headers = await renew(pod, "A", authorization=bearer("A", 5000), origin=SHOP.encode())
    assert (status, error, headers[b"Access-Control-Allow-Origin"]) == (204, "", SHOP.encode())
    assert connection.holder is not None
    renewed = connection.holder
    other = bearer("thief", 9000, sse={"subscribe": ["A"]})
    for refused, status in ((other, 403), (bearer("thief"), 403), (bearer("A", -60), 401), (b"", 401)):
        assert (await renew(pod, "A", authorization=refused))[0] == status
    assert (await renew(pod, "A", authorization=bearer("A"), origin=b"https://evil.example"))[0] == 403
    assert connection.holder is renewed
    await client.leave()


async def test_renewal_of_no_stream(pod: Pod, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(renewals, "ANSWER_SECONDS", 0.01)
    pod = locked(pod)
    assert (await renew(pod, "A", authorization=bearer("A")))[0] == 404
    monkeypatch.setattr(renewals, "MAX_WAITS", 0)
    status, _error, headers = await renew(pod, "A", authorization=bearer("A"))
    assert (status, b"Retry-After" in headers) == (503, True)


async def test_renewal_on_a_pod_that_does_not_know_what_was_revoked(pod: Pod):
    pod = locked(pod)
    pod.guard.was_read = False
    status, _error, headers = await renew(pod, "A", authorization=bearer("A"))
    assert (status, b"Retry-After" in headers) == (503, True)


async def test_renewal_of_a_name_that_breaks_the_rule(pod: Pod):
    assert (await renew(locked(pod), "-", authorization=bearer("A")))[0] == 400


async def test_renewal_is_never_refused_by_who_observes(pod: Pod):
    pod = locked(pod, "observe")
    assert (await renew(pod, "A"))[0] == 204
    assert sum(pod.locks.counts.values()) == 1


async def test_who_observes_renews_all_the_same(pod: Pod, writers: list[Recorder], monkeypatch: pytest.MonkeyPatch):
    """On whichever pod the stream is, which may require tokens already."""
    monkeypatch.setattr(renewals, "ANSWER_SECONDS", 0.01)
    pod = locked(pod, "observe")
    told: list[Any] = []
    monkeypatch.setattr(pod.roster.members, "tell", told.extend)
    assert (await renew(pod, "A", authorization=bearer("A")))[0] == 204
    assert [renewal.client_name for _life, each in told for renewal in each.renewals] == ["A"]
    client = Client(pod, "A", authorization=bearer("A", 100))
    connection = await opened(pod, "A")
    assert (await renew(pod, "A", authorization=bearer("A", 5000)))[0] == 204
    assert connection.holder is not None
    renewed = connection.holder
    assert renewed.expires_at > time.time() + 1000
    for other in (bearer("thief", 9000, sse={"subscribe": ["A"]}), bearer("A", -60), b""):
        assert (await renew(pod, "A", authorization=other))[0] == 204
    assert connection.holder is renewed
    await client.leave()


async def test_renewal_that_fails_is_500_in_json(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    pod = locked(pod)
    monkeypatch.setattr(pod.locks, "decide", lambda *_arguments, **_more: 1 / 0)
    assert (await renew(pod, "A"))[0] == 500
    assert "ZeroDivisionError" in caplog.text
