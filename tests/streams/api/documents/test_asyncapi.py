"""The document of streams, channel and journal says what stands there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streams.api.documents.asyncapi import asyncapi_document
from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.conf import StreamSettings
from streams.delivery.notices import FAREWELLS, Notices
from streams.errors import CloseReason
from streams.history.coverage import Gap, GapReason
from streams.wire.frames import comment_frame, message_frame
from streams.wire.publication import Outgoing
from tests.streams.clocks import HandClock
from tests.support.event_stream import EventStreamParser

DOCUMENT = asyncapi_document()
# The schema of AsyncAPI 3.0.0 itself, which no package for Python has.
ASYNCAPI = json.loads(Path(__file__).with_name("asyncapi-3.0.0.json").read_text())
EVENT = b'{"clientName":"STORE001-LANE01","action":"signature","eventId":"evt-1","more":[1]}'


def test_document_is_asyncapi():
    validator = jsonschema.Draft7Validator(ASYNCAPI)
    assert [error.message for error in validator.iter_errors(DOCUMENT)] == []
    broken = {**DOCUMENT, "operations": {"deliver": {"action": "shout"}}}
    assert list(validator.iter_errors(broken)) != []


def test_references_lead_somewhere():
    references = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                references.append(node["$ref"])
                found: Any = DOCUMENT
                for step in node["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(DOCUMENT)
    assert references


def check(name: str, frame: bytes) -> None:
    """Hold a frame of the service's own code against the message of a name, in both directions."""
    message = DOCUMENT["components"]["messages"][name]
    parser = EventStreamParser()
    (event,) = parser.feed(frame)
    data, fields = event.json(), {"retry": parser.retry_ms, "id": event.last_event_id or None}
    fields["event"] = None if event.type == "message" else event.type
    headers = {key: value for key, value in fields.items() if value is not None}
    for schema, value in ((message["payload"], data), (message["headers"], headers)):
        jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)
    assert set(headers) <= set(message["headers"]["properties"])
    if name != "event":
        schema = DOCUMENT["components"]["schemas"][message["payload"]["$ref"].rpartition("/")[2]]
        assert list(data) == list(schema["properties"]) == schema["required"]


@pytest.fixture
def notices() -> Notices:
    return Notices("pod-1", HandClock().clock)


def test_greeting_is_the_message_of_its_name(notices: Notices):
    check("connected", notices.greeting("STORE001-LANE01", 1_700_000_000))


@pytest.mark.parametrize("reason", FAREWELLS)
def test_farewells_are_the_messages_of_their_names(notices: Notices, reason: CloseReason):
    check(FAREWELLS[reason], notices.farewell(reason))


def test_refusals_of_tokens_are_the_message_of_their_name(notices: Notices):
    check("unauthorized", notices.refusal(CloseReason.TOKEN_EXPIRED))
    check("tokenExpiring", notices.expiring(1_700_000_000))


@pytest.mark.parametrize("reason", GapReason)
@pytest.mark.parametrize("began", [None, 1.0])
def test_gap_is_the_message_of_its_name(notices: Notices, reason: GapReason, began: float | None):
    check("streamGap", notices.gap(Gap(reason, began, 2.0), None if began is None else "evt-1"))


def test_event_is_the_message_of_its_name():
    check("event", message_frame("evt-1", EVENT))
    check("event", message_frame(None, b'{"clientName":"STORE001-LANE01"}'))
    check("event", message_frame("evt-2", Outgoing("STORE001-LANE01", "payment", ttl_ms=5).encode(1_000)))


def test_heartbeat_is_a_comment():
    parser = EventStreamParser()
    parser.feed(comment_frame("heartbeat 2026-01-05T12:00:30.000Z"))
    payload = DOCUMENT["components"]["messages"]["heartbeat"]["payload"]
    for text in (*payload["examples"], parser.comments[0].strip()):
        jsonschema.validate(text, payload)


def test_channels_are_where_events_are_published():
    channel = DOCUMENT["channels"]["channel"]
    assert channel["parameters"]["channel"]["default"] == StreamSettings().redis_channel
    assert DOCUMENT["channels"]["journal"]["address"] == "{channel}" + JOURNAL_SUFFIX
    entry = DOCUMENT["components"]["messages"]["entry"]["payload"]
    jsonschema.validate({"event": EVENT.decode()}, entry)
