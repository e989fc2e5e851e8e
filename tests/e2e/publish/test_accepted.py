"""Publishing over HTTP to a real pod: each line of the table, and what it answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from streams.publishing.publication import MAX_BATCH
from tests.e2e.publish.asking import EVENTS, TRACEPARENT, Published, journal, new_id, post, problem
from tests.support.http import TIMESTAMP, fetch, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


async def test_publish(pod: Pod, client_name: str):
    """An event in the journal, of which the client is there; what it says comes as it was said."""
    data = {"text": "Größe \u2028 €", "nul": "\0", "large": 12345678901234567890123, "deep": [[{}]]}
    async with await open_stream(pod.port, client_name) as stream:
        answer = post(pod, {"clientName": client_name, "action": "payment", "data": data})
        assert (answer.status, answer.headers["cache-control"]) == (202, "no-store")
        said = answer.json()
        assert said.keys() == {
            *("eventId", "clientName", "state", "durable", "logId", "receivers", "timestamp", "client")
        }
        assert answer.headers["location"] == f"{EVENTS}/{said['eventId']}"
        assert (said["clientName"], said["state"], said["durable"]) == (client_name, "accepted", True)
        assert re.fullmatch(r"\d+-\d+", said["logId"])
        assert said["receivers"] is None
        assert TIMESTAMP.fullmatch(said["timestamp"])
        assert said["client"].keys() == {"state", "podName", "since"}
        assert (said["client"]["state"], said["client"]["podName"]) == ("connected", "pod-streamworker")
        received = await stream.next_json()
        assert received == {
            **{key: said[key] for key in ("clientName", "eventId", "timestamp")},
            "action": "payment",
            "data": data,
        }


def test_publish_all_that_an_event_may_say(pod: Pod, redis_server: RedisServer, client_name: str):
    event = {
        "clientName": client_name,
        "action": "anything",
        "eventId": new_id(),
        "timestamp": 4_000_000_000_000,
        "ttlMs": 2**53 - 1,
        "deliverBy": "2099-01-05T12:00:00Z",
        "receipt": True,
        "traceparent": TRACEPARENT,
        "data": None,
    }
    said = post(pod, {**event, "durable": True, "requireOnline": False}).json()
    assert (said["eventId"], said["timestamp"]) == (event["eventId"], event["timestamp"])
    assert said["client"] == {"state": "offline"}, "a client that was never there"
    assert journal(redis_server, client_name) == [event]


def test_publish_on_the_channel(pod: Pod, redis_server: RedisServer, client_name: str):
    with redis_server.listening() as listener:
        said = post(pod, {"clientName": client_name, "action": "alert", "durable": False}).json()
        assert (said["durable"], said["logId"]) == (False, None)
        assert said["receivers"] == redis_server.subscribers()
        message = listener.get_message(timeout=5)
        assert message is not None
        assert json.loads(message["data"])["eventId"] == said["eventId"]


async def test_publish_the_same_again(pod: Pod, published: Published, client_name: str):
    """The first answer, and one event; another body with the same id is refused."""
    said: Any = {"clientName": client_name, "action": "payment", "data": {"a": 1, "b": 2}, "eventId": new_id()}
    async with await open_stream(pod.port, client_name) as stream:
        first, count = post(pod, said), published()
        assert "idempotent-replayed" not in first.headers
        again = post(
            pod,
            b'{"eventId": "%b", "data": {"b": 2, "a": 1}, "action": "payment", "clientName": "%b"}'
            % (
                said["eventId"].encode(),
                client_name.encode(),
            ),
        )
        assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
        first_said, again_said = first.json(), again.json()
        first_said.pop("client"), again_said.pop("client")
        assert again_said == first_said
        other = post(pod, {**said, "data": {"a": 1, "b": 3}})
        assert other.status == 422
        refused = problem(other, "idempotency-mismatch")
        assert refused["errors"][0]["pointer"] == "/eventId"
        assert published() == count
        last = post(pod, {"clientName": client_name, "action": "payment"}).json()
        assert (await stream.next_json())["eventId"] == said["eventId"]
        assert (await stream.next_json())["eventId"] == last["eventId"]


@pytest.mark.parametrize("form", ['"{}"', "{}"], ids=["quoted", "bare"])
def test_idempotency_key(pod: Pod, published: Published, client_name: str, form: str):
    key = {"Idempotency-Key": form.format(new_id())}
    said = {"clientName": client_name, "action": "payment"}
    first, count = post(pod, said, headers=key), published()
    again = post(pod, said, headers=key)
    assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
    for part in ("eventId", "logId", "timestamp"):
        assert again.json()[part] == first.json()[part]
    assert problem(post(pod, {**said, "data": 1}, headers=key), "idempotency-mismatch")
    two = {"events": [said, said]}
    assert problem(post(pod, two, "/batch", key), "idempotency-mismatch"), "one event is not the same as two"
    assert published() == count
    assert post(pod, said, headers={"Idempotency-Key": new_id()}).json()["eventId"] != first.json()["eventId"]


@pytest.mark.parametrize("key", ["k" * 256, '""', "é", "a\tb"], ids=["long", "empty", "no ASCII", "a tab"])
def test_idempotency_key_that_is_none(pod: Pod, published: Published, client_name: str, key: str):
    count = published()
    answer = post(pod, {"clientName": client_name, "action": "payment"}, headers={"Idempotency-Key": key})
    assert (answer.status, problem(answer, "invalid-event")["errors"][0]["pointer"]) == (400, "Idempotency-Key")
    assert published() == count


def test_an_event_that_expired_since_its_first_try_has_the_first_answer(pod: Pod, client_name: str):
    said = {
        "clientName": client_name,
        "action": "payment",
        "eventId": new_id(),
        "deliverBy": round(1000 * time.time()) + 300,
    }
    first = post(pod, said)
    assert first.status == 202
    target = f"{EVENTS}/{said['eventId']}"
    wait_until("it to expire", lambda: pod.json(target)["state"] == "expired")
    again = post(pod, said)
    assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
    assert problem(post(pod, {**said, "eventId": new_id()}), "invalid-event")["errors"][0]["pointer"] == "/deliverBy"


async def test_require_online(pod: Pod, published: Published, client_name: str):
    said = {"clientName": client_name, "action": "payment", "requireOnline": True, "eventId": new_id()}
    count = published()
    answer = post(pod, said)
    assert answer.status == 409
    refused = problem(answer, "client-offline")
    assert refused["client"] == {"state": "offline"}
    assert client_name in refused["detail"]
    assert published() == count
    async with await open_stream(pod.port, client_name) as stream:
        assert post(pod, said).status == 202
        assert (await stream.next_json())["eventId"] == said["eventId"]
    wait_until("it to be gone", lambda: b'"offline"' in pod.fetch(f"/api/v1/clients/{client_name}").body)
    assert post(pod, said).headers["idempotent-replayed"] == "true", "the first answer, though it is away now"
    refused = problem(post(pod, {**said, "eventId": new_id()}), "client-offline")
    assert refused["client"].keys() == {"state", "podName", "since"}


async def test_batch(pod: Pod, published: Published, client_names: Callable[[int], list[str]]):
    """All in the order of the request, and again with the first answers."""
    one, two = client_names(2)
    events: list[Any] = [
        {"clientName": (one, two)[number % 2], "action": "payment", "data": number, "eventId": new_id()}
        for number in range(20)
    ]
    events[5]["durable"] = False
    async with await open_stream(pod.port, one) as stream, await open_stream(pod.port, two):
        answer = post(pod, {"events": events}, "/batch")
        assert answer.status == 202
        said = answer.json()
        assert (said["accepted"], [event["eventId"] for event in said["events"]]) == (
            20,
            [event["eventId"] for event in events],
        )
        assert all("client" not in event for event in said["events"])
        assert said["events"][5]["receivers"] is not None
        places = [tuple(map(int, event["logId"].split("-"))) for event in said["events"] if event["logId"]]
        assert (len(places), places) == (19, sorted(places))
        for number in range(0, 20, 2):
            assert (await stream.next_json())["data"] == number
        count = published()
        again = post(pod, {"events": events}, "/batch")
        assert (again.json(), again.headers["idempotent-replayed"]) == (said, "true")
        assert published() == count


def test_batch_of_which_one_cannot_be_published(pod: Pod, published: Published, client_name: str):
    """Nothing is, and all that is wrong is named."""
    well = {"clientName": client_name, "action": "payment"}
    known = {**well, "eventId": new_id()}
    assert post(pod, known).status == 202
    count = published()
    answer = post(
        pod, {"events": [well, {**well, "ttlMs": 0}, {"action": 5}, None, {**well, "eventId": " x"}]}, "/batch"
    )
    assert answer.status == 400
    errors = problem(answer, "invalid-event")["errors"]
    assert [error["pointer"] for error in errors] == [
        *("/events/1/ttlMs", "/events/2/action", "/events/3", "/events/4/eventId")
    ]
    assert errors[2]["detail"] == "Event 3 must be an object."
    offline = problem(post(pod, {"events": [well, {**well, "requireOnline": True}]}, "/batch"), "client-offline")
    assert [error["pointer"] for error in offline["errors"]] == ["/events/1/requireOnline"]
    mismatch = post(pod, {"events": [well, {**known, "action": "alert"}]}, "/batch")
    assert problem(mismatch, "idempotency-mismatch")["errors"][0]["pointer"] == "/events/1/eventId"
    twice = {**well, "eventId": new_id()}
    refused = problem(post(pod, {"events": [twice, well, twice]}, "/batch"), "invalid-event")
    assert refused["errors"][0] == {
        "pointer": "/events/2/eventId",
        "detail": "eventId is also that of event 0 of this request.",
    }
    assert published() == count


@pytest.mark.parametrize("count", [0, MAX_BATCH, MAX_BATCH + 1])
def test_batch_has_1_to_500_events(pod: Pod, published: Published, client_name: str, count: int):
    before = published()
    answer = post(pod, {"events": [{"clientName": client_name, "action": "alert"}] * count}, "/batch")
    if count == MAX_BATCH:
        assert (answer.status, answer.json()["accepted"], published() - before) == (202, MAX_BATCH, MAX_BATCH)
    else:
        assert (problem(answer, "invalid-event")["errors"][0]["pointer"], published()) == ("/events", before)


@pytest.mark.parametrize("event_id", ["a/b?c#d%20e", "..", "batch", "x" * 128, "a b~"])
def test_record_is_where_location_says(pod: Pod, client_name: str, event_id: str):
    event_id = f"{client_name} {event_id}"[-128:].strip()
    answer = post(pod, {"clientName": client_name, "action": "payment", "eventId": event_id})
    kept = fetch(pod.port, answer.headers["location"])
    said = answer.json()
    said.pop("client")
    assert (kept.status, kept.json()) == (200, said)


def test_event_without_a_record(pod: Pod, client_name: str):
    said = post(pod, {"clientName": client_name, "action": "payment"}).json()
    for event_id in (said["eventId"], "never", "%ff", "x" * 129):
        answer = fetch(pod.port, f"{EVENTS}/{event_id}")
        assert answer.status == 404
        assert "nothing of its delivery" in problem(answer, "unknown-event")["detail"]
    kept = post(pod, {"clientName": client_name, "action": "payment", "receipt": True}).json()
    assert fetch(pod.port, f"{EVENTS}/{kept['eventId']}").status == 200, "an event with a receipt has a record"
