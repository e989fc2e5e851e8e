"""Publishing with a token that has the right to it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from streams.auth.results import Result
from streams.locks.locks import Mode
from streams.publishing.publishing import Publishing
from streams.publishing.records import Kept, record_of
from tests.streams.api.asking import Api
from tests.streams.api.test_events import EVENT, Sent, post
from tests.streams.api.tokens.asking import bearer

REQUIRED = Mode.REQUIRED


@pytest.fixture
def sent(guarded: Api, monkeypatch: pytest.MonkeyPatch) -> Sent:
    sent = Sent()
    monkeypatch.setattr(guarded.pod.publishing.sender, "publish", sent.publish)
    return sent


def counts(api: Api) -> dict[tuple[Result, Mode], int]:
    return dict(api.pod.locks.counts)


@pytest.mark.parametrize("publish", [["A-1"], ["A-*"], ["*"], ["B-1", "A-1"]])
async def test_token_with_the_right(guarded: Api, sent: Sent, publish: list[str]):
    assert (await post(guarded, EVENT, **bearer(publish=publish))).status == 202
    assert [draft.event.client_name for draft in sent.drafts] == ["A-1"]
    assert counts(guarded) == {(Result.OK, REQUIRED): 1}


@pytest.mark.parametrize("publish", [[], ["A-2"], ["a-1"], ["A-"], ["A-11"], ["B*"]])
async def test_token_for_other_clients(guarded: Api, sent: Sent, publish: list[str]):
    asked = await post(guarded, EVENT, **bearer(publish=publish, subscribe=["*"], admin=["read"]))
    assert (asked.status, asked.problem) == (403, "insufficient-scope")
    assert asked.said["errors"] == [{"pointer": "/clientName", "detail": "The token gives no right to publish to A-1."}]
    assert asked.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert sent.drafts == []
    assert counts(guarded) == {(Result.SCOPE, REQUIRED): 1}


async def test_batch_names_all_that_are_not_permitted(guarded: Api, sent: Sent):
    events = [{**EVENT, "clientName": name} for name in ("A-1", "B-1", "A-2", "B-2")]
    asked = await post(guarded, {"events": events}, "/events/batch", **bearer(publish=["A-*"]))
    assert (asked.status, asked.problem) == (403, "insufficient-scope")
    assert [each["pointer"] for each in asked.said["errors"]] == ["/events/1/clientName", "/events/3/clientName"]
    assert sent.drafts == []
    asked = await post(guarded, {"events": events[::2]}, "/events/batch", **bearer(publish=["A-*"]))
    assert (asked.status, len(sent.drafts)) == (202, 2)


@pytest.mark.parametrize(
    ("headers", "result", "error"),
    [
        ({}, Result.NONE, "Bearer"),
        (bearer(publish=["*"], exp=int(time.time()) - 60), Result.EXPIRED, 'Bearer error="invalid_token"'),
        (bearer("another-secret-" + "x" * 32, publish=["*"]), Result.INVALID, 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer two words"}, Result.INVALID, 'Bearer error="invalid_request"'),
    ],
    ids=["none", "expired", "forged", "malformed"],
)
async def test_no_good_token(guarded: Api, sent: Sent, headers: dict[str, str], result: Result, error: str):
    asked = await post(guarded, EVENT, **headers)
    assert (asked.status, asked.problem) == (401, "unauthorized")
    assert asked.headers["www-authenticate"].startswith(error)
    assert "Authorization: Bearer with a token" in asked.said["detail"]
    assert sent.drafts == []
    assert counts(guarded) == {(result, REQUIRED): 1}


async def test_pod_that_does_not_know_what_was_revoked(guarded: Api, sent: Sent):
    guarded.pod.guard.was_read = False
    asked = await post(guarded, EVENT, **bearer(publish=["*"]))
    assert (asked.status, asked.problem, "retry-after" in asked.headers) == (503, "not-ready", True)
    asked = await guarded.ask("/pods", headers=bearer(admin=["act"]))
    assert (asked.status, asked.problem) == (503, "not-ready")
    assert (await post(guarded, EVENT)).status == 401
    assert sent.drafts == []


async def test_token_in_the_address_is_refused(guarded: Api, sent: Sent):
    _scheme, token = bearer(publish=["*"])["Authorization"].split()
    asked = await post(guarded, EVENT, f"/events?access_token={token}")
    assert (asked.status, asked.problem) == (401, "unauthorized")
    assert "A token in the address" in asked.said["detail"]
    assert token not in asked.body.decode()
    assert sent.drafts == []


async def test_page_of_another_site_with_a_token(guarded: Api, sent: Sent):
    """No browser sends the header by itself."""
    headers = bearer(publish=["A-1"]) | {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    assert (await post(guarded, EVENT, **headers)).status == 202


async def test_off_is_open_in_production_and_keeps_pages_of_other_sites_out(settings: Any, guarded: Api, sent: Sent):
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, publish_auth="off")
    assert (await post(guarded, EVENT)).status == 202
    assert (await post(guarded, EVENT, **bearer(publish=["B-1"]))).status == 202
    assert (await post(guarded, EVENT, Sec_Fetch_Site="cross-site")).status == 403
    assert (await guarded.ask("/pods")).status == 401, "looking is another matter"


async def test_rate_is_of_each_token(guarded: Api, monkeypatch: pytest.MonkeyPatch):
    guarded.pod.conf = msgspec.structs.replace(guarded.pod.conf, publish_rate=1)
    guarded.pod.publishing = Publishing(guarded.pod.conf, guarded.pod.ingresses.primary)
    monkeypatch.setattr(guarded.pod.publishing.sender, "publish", Sent().publish)
    for claims in ({"jti": "1"}, {"jti": "2"}, {"sub": "other"}):
        headers = bearer(publish=["*"], **claims)
        assert (await post(guarded, EVENT, **headers)).status == 202
        assert (await post(guarded, EVENT, **headers)).status == 429
    again = bearer(publish=["*"], sub="other", exp=int(time.time()) + 700)
    assert (await post(guarded, EVENT, **again)).status == 429, "without a jti it is of its sub"
    assert (await post(guarded, EVENT, **bearer(publish=["B-1"], jti="3"))).status == 403
    assert (await post(guarded, EVENT, **bearer(publish=["*"], jti="3"))).status == 202, "403 costs nothing"


async def test_key_of_a_request_outlives_its_token(guarded: Api, sent: Sent):
    """A back end whose token was renewed tries again, and publishes once; another one's key is another."""
    nameless = {"sub": "", "jti": "shop"}
    for claims in ({"jti": "1"}, {"jti": "2"}, {"sub": "other"}, nameless):
        await post(guarded, EVENT, Idempotency_Key="k", **bearer(publish=["*"], **claims))
    first, same, other, by_jti = (draft.event.event_id for draft in sent.drafts)
    assert first == same
    assert len({first, other, by_jti}) == 3


@pytest.mark.parametrize(
    ("claims", "status"),
    [({"publish": ["A-1"]}, 200), ({"admin": ["read"]}, 200), ({"publish": ["B-1"]}, 403), ({}, 403)],
)
async def test_record_of_an_event_is_for_who_may_publish_to_its_client(
    guarded: Api, sent: Sent, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], status: int
):
    await post(guarded, {**EVENT, "eventId": "evt-1"}, **bearer(publish=["*"]))
    kept = Kept(record_of(sent.drafts[0].event, 0, durable=True), b"", "1767-0", None)

    async def record(_event_id: str) -> Kept:
        return kept

    monkeypatch.setattr(guarded.pod.publishing.sender, "record", record)
    asked = await guarded.ask("/events/evt-1", headers=bearer(**claims))
    assert asked.status == status
    if status == 403:
        assert asked.problem == "insufficient-scope"
        assert "A-1" not in asked.body.decode()
