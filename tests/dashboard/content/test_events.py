from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.content.events import PAYLOAD_BYTES, PRETTY_CHARACTERS, TEXT_CHARACTERS, describe, text
from streams.errors import UnusableMessage
from streams.wire.events import decode_event

MOST_CHARACTERS = PRETTY_CHARACTERS + 4 * TEXT_CHARACTERS + 200


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_describe_shows_an_event_as_people_read_it():
    event = describe(5.0, b'{"clientName":"a","action":"payment","eventId":"e1","timestamp":"t","data":{"n":1}}')
    assert event[:4] == ("5.0-e1", "payment", "t", "e1")
    assert event.payload.splitlines()[1:3] == ['  "clientName": "a",', '  "action": "payment",']


def test_describe_shows_nothing_of_what_is_not_there():
    assert describe(5.0, b'{"clientName":"a","action":null}')[:4] == ("5.0-", "", "", "")


def test_describe_shows_values_that_are_no_strings_as_they_were_written():
    event = describe(5.0, b'{"clientName":"a","action":1e999,"eventId":[1, 2],"timestamp":1767614400000}')
    assert event[1:4] == ("1e999", "1767614400000", "[1, 2]")


LARGE = (f'"{"x" * 200_000}"', f"[{'1,' * 99_999}1]")
VALUES = ("1e999", "9" * 5000, r'"caf\ud83d"', '"ü"', '{"a":1e999}', *map(nested, (100, 900, 1500)), *LARGE)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:8])
@pytest.mark.parametrize("field", ["data", "action", "eventId", "timestamp", "ttlMs"])
def test_describe_is_bounded_whatever_a_message_holds(field: str, value: str):
    message = f'{{"clientName":"a","{field}":{value}}}'.encode()
    decode_event(message, len(message))
    event = describe(5.0, message)
    assert sum(map(len, event)) <= MOST_CHARACTERS
    assert event.payload.startswith("{")
    json.dumps(event)


def test_describe_says_how_much_more_there_is():
    message = json.dumps({"clientName": "a", "data": "x" * 100_000}).encode()
    assert describe(5.0, message).payload.endswith(f"… and {len(message) - PAYLOAD_BYTES:,} bytes more")


@given(st.binary(max_size=300))
@example(b'{"clientName":"a","action":"\xff"}')
@example(b"[" * 5000)
def test_describe_takes_any_bytes(message: bytes):
    """A string that was skipped need not be UTF-8: it is in the history of pods that have no such client."""
    assert sum(map(len, describe(5.0, message))) <= MOST_CHARACTERS


@given(st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_describe_shows_what_decode_event_took(value: object):
    message = json.dumps({"clientName": "a", "eventId": value}).encode()
    try:
        decode_event(message, len(message))
    except UnusableMessage:
        return
    assert describe(5.0, message).event_id.startswith(text(msgspec.Raw(json.dumps(value).encode()))[:-1])
