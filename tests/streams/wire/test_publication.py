"""What a publisher may say of an event, what becomes of it, and which events are refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from streams.errors import InvalidEvent
from streams.wire.events import ACTIONS
from streams.wire.publication import TIME, Outgoing, new_event_id
from tests.streams.builders import MAX_EVENT_BYTES, decode
from tests.streams.wire.json_values import json_values


def encode(client: Any = "a", action: Any = "payment", data: Any = None, event_id: Any = "evt-1", **more: Any) -> bytes:
    max_bytes = more.pop("max_bytes", MAX_EVENT_BYTES)
    return Outgoing(client, action, data, event_id, more.pop("timestamp", TIME), **more).encode(max_bytes)


def test_encodes_the_fields_in_the_order_that_they_always_had():
    message = encode(data={"x": 1}, timestamp="2026-01-05T12Z")
    assert (
        message
        == b'{"clientName":"a","action":"payment","eventId":"evt-1","timestamp":"2026-01-05T12Z","data":{"x":1}}'
    )


@given(json_values)
def test_what_is_encoded_can_be_decoded(value: Any):
    try:
        message = encode(data=value)
    except InvalidEvent:
        # A lone surrogate is no text that UTF-8 can hold, and a message may be too long.
        return
    event, line = decode(message)
    assert (event.client_name, event.event_id) == ("a", "evt-1")
    assert json.loads(line)["data"] == value


@pytest.mark.parametrize("action", ACTIONS)
def test_there_are_seven_actions(action: str):
    assert len(ACTIONS) == 7
    assert json.loads(encode(action=action))["action"] == action


recursive: list[Any] = []
recursive.append(recursive)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"client": "a\n"}, "clientName"),
        ({"event_id": "a\n"}, "eventId"),
        ({"event_id": " a"}, "without a blank at either end"),
        ({"client": "-a"}, "clientName"),
        ({"client": ""}, "clientName"),
        ({"client": None}, "clientName"),
        ({"action": ""}, "action"),
        ({"action": None}, "action"),
        ({"event_id": ""}, "eventId"),
        ({"event_id": "x" * 129}, "eventId"),
        ({"event_id": "a\nb"}, "eventId"),
        ({"event_id": "é"}, "eventId"),
        ({"event_id": 5}, "eventId"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": ""}, "timestamp"),
        ({"timestamp": 5}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"data": object()}, "data"),
        ({"data": recursive}, "data"),
        ({"data": {1j: 2}}, "data"),
        ({"data": "x" * MAX_EVENT_BYTES}, "MAX_EVENT_BYTES"),
    ],
)
def test_an_event_that_no_pod_could_deliver_is_not_encoded(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        encode(**fields)


def test_encode_writes_the_deadlines_that_it_is_given():
    fields = {"ttlMs": 1, "deliverBy": "2026-01-05T11:59:59Z"}
    written = json.loads(encode(ttl_ms=fields["ttlMs"], deliver_by=fields["deliverBy"]))
    assert written.items() >= fields.items()
    assert not json.loads(encode()).keys() & {"ttlMs", "deliverBy"}
    assert json.loads(encode(deliver_by=2_000_000_000_000))["deliverBy"] == 2_000_000_000_000


@pytest.mark.parametrize("ttl_ms", [0, -1, True, 1.5, "1"])
def test_encode_refuses_ttl_ms_that_is_no_duration(ttl_ms: Any):
    with pytest.raises(InvalidEvent, match="ttlMs"):
        encode(ttl_ms=ttl_ms)


@pytest.mark.parametrize("deliver_by", ["", "tomorrow", 5])
def test_encode_refuses_deliver_by_that_is_no_time(deliver_by: Any):
    with pytest.raises(InvalidEvent, match="deliverBy"):
        encode(deliver_by=deliver_by)


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_encode_writes_receipt_and_traceparent_where_they_are_said():
    written = json.loads(encode(receipt=True, traceparent=TRACEPARENT))
    assert (written["receipt"], written["traceparent"]) == (True, TRACEPARENT)
    assert not json.loads(encode()).keys() & {"receipt", "traceparent"}


def test_new_event_ids_differ():
    assert len({new_event_id() for _ in range(1000)}) == 1000


# As a form would have it: the rules of the fields say the same as encode().
DECLARED: list[tuple[str, Any, bool]] = [
    *(("clientName", name, True) for name in ("a", "A-1", "a" * 128, "1._:-")),
    *(("clientName", name, False) for name in ("", "-a", "a" * 129, "a b", "*", "STORE001-*", 5, None)),
    *(("eventId", event_id, True) for event_id in ("a", "~ !", "x" * 128, "a/b?c#d%")),
    *(("eventId", event_id, False) for event_id in ("", " a", "a ", "x" * 129, "é", "a\rb", 5, None)),
    *(("action", action, True) for action in ("a", "\0", "é" * 1000)),
    *(("action", action, False) for action in ("", 5, None)),
    *(("ttlMs", ttl_ms, True) for ttl_ms in (1, 2**53 - 1, None)),
    *(("ttlMs", ttl_ms, False) for ttl_ms in (0, -1, 2**53, 1.5, "1", True)),
    *(("receipt", receipt, True) for receipt in (True, False)),
    *(("receipt", receipt, False) for receipt in (1, "true", None)),
    *(("traceparent", traceparent, True) for traceparent in (TRACEPARENT, None)),
    *(
        ("traceparent", traceparent, False)
        for traceparent in ("", TRACEPARENT + "\n", TRACEPARENT.upper(), TRACEPARENT[:-1])
    ),
]


@pytest.mark.parametrize(("name", "value", "allowed"), DECLARED)
def test_declared_fields(name: str, value: Any, allowed: bool):
    said = {"clientName": "a", "action": "payment", name: value}
    try:
        msgspec.convert(said, Outgoing).encode(MAX_EVENT_BYTES)
    except msgspec.ValidationError:
        assert not allowed
    else:
        assert allowed


def test_unknown_fields_are_none():
    with pytest.raises(msgspec.ValidationError, match="unknown field `ttl`"):
        msgspec.convert({"clientName": "a", "action": "payment", "ttl": 1}, Outgoing)
