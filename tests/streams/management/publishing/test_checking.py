"""What is said of events that are looked at and not sent."""

from __future__ import annotations

from typing import Any

import pytest

from streams.api.pages import Client
from streams.api.problems import ClientSaid
from streams.management.publishing.checking import client_sentence, examine, found_sentence
from streams.management.publishing.given import Given, Refusal
from streams.publishing.publication import Publication
from streams.roster.reading.lanes import LaneState


def given(line: int = 0, **fields: Any) -> Given:
    return Given(Publication(**{"client_name": "A", "action": "alert", "event_id": "e", **fields}), line)


@pytest.mark.parametrize(
    ("each", "sentence"),
    [
        (given(), "alert to A would go over the channel, without a deadline"),
        (given(3, durable=True), "line 3: alert to A would go into the journal, without a deadline"),
        (given(deliver_by="2100-01-01T00:00:00Z"), "to be delivered until 2100-01-01T00:00:00.000Z"),
        (Refusal(4, "It is wrong."), "line 4: It is wrong."),
        (Refusal(0, "It is wrong."), "It is wrong."),
    ],
)
def test_says_what_would_become_of_it(each: Given | Refusal, sentence: str):
    (found,) = examine([each], None)
    assert sentence in found_sentence(found)


def test_says_where_its_client_is_and_asks_once_for_each():
    asked = []

    def where_is(name: str) -> Client | str:
        asked.append(name)
        if name == "A":
            return Client("A", LaneState.CONNECTED, expected=False, pod_name="pod-2")
        return "No client B was ever seen."

    first, again, unseen = examine([given(), given(), given(7, client_name="B")], where_is)
    assert asked == ["A", "B"]
    assert found_sentence(first) == "alert to A would be taken, without a deadline; its client is connected to pod-2"
    assert again.client == first.client
    assert unseen.client is None
    assert unseen.warnings == ["line 7: No client B was ever seen."]


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (ClientSaid("connected", "pod-1", "2026-01-05T12:00:00.000Z"), "connected to pod-1"),
        (ClientSaid("offline", "pod-1", "2026-01-05T12:00:00.000Z"), "offline since 2026-01-05T12:00:00.000Z"),
        (ClientSaid("offline"), "offline"),
    ],
)
def test_says_where_a_client_is(client: ClientSaid, sentence: str):
    assert client_sentence(client) == sentence
