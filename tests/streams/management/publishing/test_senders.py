"""How events become requests, and answers become sentences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management.base import CommandError

from streams.management.arguments import service_address
from streams.management.publishing.api import Answer, Api, Unanswered
from streams.management.publishing.given import Given
from streams.management.publishing.senders import ApiSender, Sent, batches, outgoing
from streams.publishing.publication import Publication


class Pod(Api):
    """Answers what a test says."""

    def __init__(self, *answers: Answer | Unanswered) -> None:
        super().__init__(service_address("http://pod:3000"), "", print)
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        self.asked.append((method, path, json.loads(body or b"null")))
        answer = self.answers.pop(0)
        if isinstance(answer, Unanswered):
            raise answer
        return answer


def given(number: int = 0, **fields: Any) -> Given:
    event = {"client_name": "A", "action": "alert", "event_id": f"evt-{number}", **fields}
    return Given(Publication(**event), number)


def answer(status: int, body: Any = b"", *, location: str = "") -> Answer:
    return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode(), "", location)


def problem(status: int, *faults: tuple[str, str]) -> Answer:
    errors = [{"pointer": pointer, "detail": detail} for pointer, detail in faults]
    said = {"type": "t", "title": "t", "status": status, "detail": "It is wrong.", "error": "It is wrong."}
    return answer(status, said | {"errors": errors})


def refusal(status: int, *said: Answer | Unanswered, events: int = 2) -> str:
    with pytest.raises(CommandError) as no:
        list(ApiSender(Pod(*said)).send([given(number) for number in range(1, events + 1)]))
    assert no.value.returncode == status
    return str(no.value)


def test_requests_have_as_many_events_as_a_pod_takes():
    sizes = [len(batch) for batch in batches(given(number) for number in range(1_201))]
    assert sizes == [500, 500, 201]


def test_requests_have_as_many_bytes_as_a_pod_takes():
    large = [given(number, data="x" * 300_000) for number in range(7)]
    assert [len(batch) for batch in batches(large)] == [3, 3, 1]


def test_no_request_is_made_of_nothing():
    assert list(batches([])) == []


def test_an_event_keeps_its_fields_on_the_way_to_redis():
    event = outgoing(given(7, data=0, ttl_ms=5, receipt=True, durable=True, timestamp=1_767_614_400_000))
    assert (event.event_id, event.data, event.ttl_ms, event.receipt) == ("evt-7", 0, 5, True)
    assert event.timestamp == 1_767_614_400_000
    assert str(outgoing(given()).timestamp).endswith("Z")


@pytest.mark.parametrize(
    ("said", "unheard"),
    [
        (Sent("A", "alert", "e", 0, None), True),
        (Sent("A", "alert", "e", 1, None), False),
        (Sent("A", "alert", "e", None, "1-0"), False),
    ],
)
def test_nobody_was_there_where_no_pod_heard_it(said: Sent, unheard: bool):
    assert said.unheard is unheard


def test_what_is_wrong_is_said_with_its_line():
    said = problem(400, ("/events/1/ttlMs", "ttlMs is wrong."), ("Idempotency-Key", "The key is wrong."))
    assert refusal(2, said) == (
        "http://pod:3000 answered 400: line 2: ttlMs is wrong. The key is wrong. "
        "0 of 2 event(s) were published, and the others were not."
    )


def test_one_line_that_is_refused_is_named():
    assert refusal(2, problem(422), events=1) == "http://pod:3000 answered 422: line 1: It is wrong."


@pytest.mark.parametrize(
    ("said", "status", "sentence"),
    [
        (answer(301, location="https://b/"), 2, "answered 301: It leads to https://b/: name that address."),
        (answer(404, b"<html>"), 2, "answered 404: It says no more, so it may be no pod of this service."),
        (answer(404, {"errors": [3]}), 2, "so it may be no pod"),
        (answer(413, {"error": "Too large."}), 2, "answered 413: Too large."),
        (answer(500, {"error": "The service failed."}), 1, "answered 500: The service failed."),
        (answer(202, b"accepted"), 2, "so it may be no pod"),
        (answer(202, {"accepted": 0, "events": []}), 2, "so it may be no pod"),
        (answer(200, [1]), 2, "so it may be no pod"),
    ],
)
def test_what_is_no_answer_of_a_pod_is_an_error(said: Answer, status: int, sentence: str):
    assert sentence in refusal(status, said)


def test_an_event_that_was_surely_not_taken_is_not_called_doubtful():
    gone = Unanswered("It is gone.", doubtful=False)
    assert refusal(1, gone, events=1) == "It is gone."
    assert refusal(1, gone) == "It is gone. 0 of 2 event(s) were published, and the others were not."


def test_a_client_is_asked_for_by_its_name():
    pod = Pod(answer(200, {"clientName": "A:1", "state": "offline", "expected": False}), problem(404), problem(500))
    sender = ApiSender(pod)
    found = sender.where_is("A:1")
    assert not isinstance(found, str)
    assert found.state == "offline"
    assert pod.asked == [("GET", "/clients/A%3A1", None)]
    assert sender.where_is("B") == "It is wrong."
    with pytest.raises(CommandError, match="answered 500"):
        sender.where_is("C")
