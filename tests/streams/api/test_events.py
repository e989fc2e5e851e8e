"""Requests to publish: what is made ready, and what is answered to each outcome. Real ones are in tests/e2e/publish."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from streams.api.problems import MAX_FAULTS
from streams.publishing.publication import Draft
from streams.publishing.publishing import Publishing
from streams.publishing.records import Kept, record_of
from streams.publishing.script import Fate, Lookup, Outcome, Published
from streams.publishing.sender import Doubtful, NotTaken
from streams.roster.reading.states import View
from tests.streams.api.asking import JSON, OPERATOR, Api, Asked
from tests.streams.builders import connect

TOKEN = "only-for-tests-" + "t" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
EVENT = {"clientName": "A-1", "action": "payment"}
Answering = Callable[[Sequence[Draft]], Outcome]


class Sent:
    """Instead of Redis: keeps what is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.answer: Answering = taken

    async def publish(self, drafts: Sequence[Draft], *, looked_up: bool = False) -> Outcome:
        self.drafts += drafts
        return self.answer(drafts)


def taken(drafts: Sequence[Draft]) -> Outcome:
    return Outcome(Fate.TAKEN, [Published(None, b"1767-0" if each.durable else 3, None) for each in drafts])


def again(drafts: Sequence[Draft]) -> Outcome:
    """Answer that all were published before."""
    kept = [Kept(record_of(each.event, 0, durable=True), b"", "1767-0", None) for each in drafts]
    return Outcome(Fate.TAKEN, [Published(each, b"", None) for each in kept])


def raising(error: Exception) -> Answering:
    def answer(_drafts: Sequence[Draft]) -> Outcome:
        raise error

    return answer


@pytest.fixture
def sent(api: Api, monkeypatch: pytest.MonkeyPatch) -> Sent:
    sent = Sent()
    monkeypatch.setattr(api.pod.publishing.sender, "publish", sent.publish)
    return sent


async def post(api: Api, said: Any, target: str = "/events", **headers: str) -> Asked:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.ask(target, "POST", {**JSON, **names}, json.dumps(said).encode())


def configure(api: Api, **fields: Any) -> None:
    api.pod.conf = msgspec.structs.replace(api.pod.conf, **fields)
    api.pod.publishing = Publishing(api.pod.conf, api.pod.ingresses.primary)


async def test_what_was_taken(api: Api, sent: Sent):
    api.root_path = "/shop"
    asked = await post(api, {**EVENT, "eventId": "a/b"})
    assert (asked.status, asked.headers["location"]) == (202, "/shop/api/v1/events/a%2Fb")
    assert asked.said == {
        "eventId": "a/b",
        "clientName": "A-1",
        "state": "accepted",
        "durable": True,
        "logId": "1767-0",
        "receivers": None,
        "timestamp": sent.drafts[0].event.timestamp,
    }
    asked = await post(api, {**EVENT, "durable": False})
    assert (asked.said["logId"], asked.said["receivers"]) == (None, 3)


async def test_what_was_taken_before(api: Api, sent: Sent):
    sent.answer = again
    asked = await post(api, {**EVENT, "eventId": "e-1"})
    assert (asked.status, asked.headers["idempotent-replayed"], asked.said["logId"]) == (202, "true", "1767-0")
    asked = await post(api, {"events": [EVENT, EVENT]}, "/events/batch")
    assert asked.headers["idempotent-replayed"] == "true"

    sent.answer = lambda drafts: Outcome(Fate.TAKEN, [*again(drafts[:1]).events, *taken(drafts[1:]).events])
    asked = await post(api, {"events": [EVENT, EVENT]}, "/events/batch")
    assert "idempotent-replayed" not in asked.headers, "one of them is new"


async def test_publish_door_is_the_default(api: Api, sent: Sent, monkeypatch: pytest.MonkeyPatch):
    configure(api, publish_door="channel")
    monkeypatch.setattr(api.pod.publishing.sender, "publish", sent.publish)
    assert (await post(api, EVENT)).said["durable"] is False
    assert (await post(api, {**EVENT, "durable": True})).said["durable"] is True


async def test_redis_that_took_nothing(api: Api, sent: Sent):
    sent.answer = raising(NotTaken("connection refused"))
    asked = await post(api, EVENT)
    assert (asked.status, asked.problem, asked.headers["retry-after"]) == (503, "redis-unavailable", "1")
    assert asked.said["detail"] == "Nothing was published: connection refused."


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "k"}])
async def test_redis_that_may_have_taken_what_has_an_id(api: Api, sent: Sent, headers: dict[str, str]):
    sent.answer = raising(Doubtful("no answer"))
    asked = await post(api, EVENT if headers else {**EVENT, "eventId": "e-1"}, **headers)
    assert (asked.status, asked.problem, asked.headers["retry-after"]) == (503, "redis-unavailable", "1")
    assert "may have been taken. To send it again with the same eventId" in asked.said["detail"]


async def test_redis_that_may_have_taken_what_has_no_id(api: Api, sent: Sent):
    """What the answer names makes the same message of it, which clients are not given twice."""
    sent.answer = raising(Doubtful("no answer"))
    asked = await post(api, {**EVENT, "data": {"b": 1, "a": 2}, "ttlMs": 60_000})
    first = sent.drafts[0]
    assert f"eventId {first.event.event_id} and timestamp {first.event.timestamp}:" in asked.said["detail"]
    said = {**EVENT, "eventId": first.event.event_id, "timestamp": first.event.timestamp}
    await post(api, {**said, "data": {"b": 1, "a": 2}, "ttlMs": 60_000})
    assert sent.drafts[1].message == first.message


async def test_redis_that_may_have_taken_a_batch(api: Api, sent: Sent):
    sent.answer = raising(Doubtful("no answer"))
    asked = await post(api, {"events": [EVENT, {**EVENT, "eventId": "e-1"}, EVENT, EVENT]}, "/events/batch")
    assert f"{sent.drafts[0].event.event_id} and timestamp" in asked.said["detail"]
    assert "and of 2 more event(s)" in asked.said["detail"]
    asked = await post(api, {"events": [{**EVENT, "eventId": "e-1"}]}, "/events/batch")
    assert "To send it again with the same eventId" in asked.said["detail"]


@pytest.mark.parametrize(
    ("outcome", "status", "kind", "pointer"),
    [
        (Outcome(Fate.MISMATCH, number=1), 422, "idempotency-mismatch", "/events/1/eventId"),
        (Outcome(Fate.OVER, number=1), 400, "invalid-event", "/events/1/deliverBy"),
    ],
)
async def test_group_of_which_one_is_refused(
    api: Api, sent: Sent, outcome: Outcome, status: int, kind: str, pointer: str
):
    sent.answer = lambda _drafts: outcome
    over = {**EVENT, "eventId": "e-1", "deliverBy": "2020-01-01T00:00:00Z"}
    asked = await post(api, {"events": [EVENT, over]}, "/events/batch")
    assert (asked.status, asked.problem) == (status, kind)
    assert asked.said["errors"][0]["pointer"] == pointer


def view(began: int) -> View:
    return View(1000, began, None, {})


@pytest.mark.parametrize(("began", "state"), [(5, "offline"), (0, "unknown")], ids=["never seen", "no roster"])
async def test_client_that_is_not_known(api: Api, sent: Sent, began: int, state: str):
    lookup = Lookup(None, view(began))
    sent.answer = lambda _drafts: Outcome(Fate.TAKEN, [Published(None, b"1767-0", lookup)])
    assert (await post(api, EVENT)).said["client"] == {"state": state}
    sent.answer = lambda _drafts: Outcome(Fate.OFFLINE, client=lookup)
    asked = await post(api, {**EVENT, "requireOnline": True})
    assert (asked.status, asked.said["client"]) == (409, {"state": state})
    assert (asked.said["type"], asked.said["error"]) == ("/api/v1/problems#client-offline", asked.said["detail"])
    assert sent.drafts[-1].require_online


async def test_client_of_this_pod_is_online_whatever_the_roster_knows(api: Api, sent: Sent):
    sent.answer = lambda _drafts: Outcome(Fate.TAKEN, [Published(None, b"1767-0", Lookup(None, view(0)))])
    api.pod.registry.subscribed = True
    connect(api.pod.registry, "A-1", "10.0.0.1:5000")
    said = (await post(api, {**EVENT, "requireOnline": True})).said
    assert (said["client"]["state"], said["client"]["podName"]) == ("connected", "pod-here")
    assert not sent.drafts[-1].require_online


async def test_more_requests_than_are_taken_at_once(api: Api, sent: Sent):
    api.pod.publishing._under_way = api.pod.conf.publish_concurrency
    asked = await post(api, EVENT)
    assert (asked.status, asked.problem, asked.headers["retry-after"]) == (503, "overloaded", "1")
    assert "64 requests" in asked.said["detail"]
    assert sent.drafts == []


async def test_rate_is_of_each_caller(settings: Any, api: Api, sent: Sent, monkeypatch: pytest.MonkeyPatch):
    """In its header what is left; refused with the time after which there is more. A bad request costs nothing."""
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, environment="production", admin_token=TOKEN)
    configure(api, publish_rate=5)
    monkeypatch.setattr(api.pod.publishing.sender, "publish", sent.publish)
    three = {"events": [EVENT] * 3}
    asked = await post(api, three, "/events/batch", **BEARER)
    assert (asked.status, asked.headers["ratelimit-policy"]) == (202, '"publish";q=5;w=1')
    assert asked.headers["ratelimit"] == '"publish";r=2;t=1'
    assert (await post(api, {"clientName": "A-1"}, **BEARER)).status == 400
    assert (await post(api, {"events": [EVENT] * 50}, "/events/batch", **BEARER)).status == 202
    asked = await post(api, EVENT, **BEARER)
    assert (asked.status, asked.problem) == (429, "rate-limited")
    wait = int(asked.headers["retry-after"])
    assert 8 <= wait <= 10
    assert asked.headers["ratelimit"] == f'"publish";r=0;t={wait}'
    api.user = OPERATOR
    asked = await post(api, EVENT, Host="a.example", Origin="https://a.example")
    assert asked.status == 202, "another caller has an allowance of its own"


async def test_no_rate_is_no_header(api: Api, sent: Sent):
    asked = await post(api, EVENT)
    assert not any("ratelimit" in name for name in asked.headers)


async def test_keys_of_two_callers_are_not_the_same(settings: Any, api: Api, sent: Sent):
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, environment="production", admin_token=TOKEN)
    api.user = OPERATOR
    await post(api, EVENT, Idempotency_Key="k", **BEARER)
    await post(api, EVENT, Idempotency_Key='"k"', **BEARER)
    await post(api, EVENT, Idempotency_Key="k", Host="a.example", Origin="https://a.example")
    first, same, other = (draft.event.event_id for draft in sent.drafts)
    assert first == same != other


async def test_ids_of_one_request_differ(api: Api, sent: Sent):
    """Those that were made of its key among them."""
    await post(api, {"events": [EVENT, EVENT]}, "/events/batch", Idempotency_Key="k")
    first, second = (draft.event.event_id for draft in sent.drafts)
    assert first != second
    events = [{**EVENT, "eventId": "own"}, {**EVENT, "eventId": first}]
    asked = await post(api, {"events": events}, "/events/batch", Idempotency_Key="k")
    assert (asked.status, asked.said["errors"][0]["pointer"]) == (400, "/events/1/eventId")


async def test_batch_names_all_that_is_wrong(api: Api, sent: Sent):
    asked = await post(api, {"events": [{**EVENT, "ttl": 1}, {**EVENT, "key": 1}]}, "/events/batch")
    assert (asked.status, asked.problem) == (400, "unknown-field")
    assert [error["pointer"] for error in asked.said["errors"]] == ["/events/0/ttl", "/events/1/key"]
    asked = await post(api, {"events": [{**EVENT, "ttl": 1}, {**EVENT, "ttlMs": -1}]}, "/events/batch")
    assert asked.problem == "invalid-event"
    asked = await post(api, {"events": [{}] * 500}, "/events/batch")
    assert len(asked.said["errors"]) == MAX_FAULTS
    asked = await post(api, {"event": [EVENT]}, "/events/batch")
    assert asked.said["errors"] == [
        {"pointer": "/event", "detail": "There is no field 'event' here. Did you mean events?"}
    ]
    assert (await post(api, {"events": EVENT}, "/events/batch")).said["detail"] == "events must be a list."
    assert (await post(api, {}, "/events/batch")).said["detail"] == "events is missing."
    assert sent.drafts == []
