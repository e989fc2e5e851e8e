"""What is read of a message, and the line that its client is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.errors import UnusableMessage
from streams.wire.events import decode_event, decode_remembered, valid_event_id
from tests.streams.builders import MAX_EVENT_BYTES, decode


def test_decodes_what_routes_an_event():
    event, line = decode(b'{"clientName":"a","action":"x","eventId":"evt-1","timestamp":"t","data":{"clientName":"b"}}')
    assert (event.client_name, event.event_id, event.timestamp) == ("a", "evt-1", "t")
    assert line == b'{"clientName":"a","action":"x","eventId":"evt-1","timestamp":"t","data":{"clientName":"b"}}'


def test_only_the_name_is_needed():
    event, _ = decode(b'{"clientName":"a"}')
    assert (event.client_name, event.event_id, event.timestamp) == ("a", None, None)


@pytest.mark.parametrize("event_id", [None, 5, 1.5, True, [], {}, "", "x" * 1000])
def test_an_unusable_id_makes_no_event_unusable(event_id: Any):
    event, _ = decode(json.dumps({"clientName": "a", "eventId": event_id, "timestamp": event_id}).encode())
    assert event.client_name == "a"


@pytest.mark.parametrize(
    "message",
    [
        b'{"clientName":"a" , "n":1.50,"e":1E5}',
        '{"clientName":"ü","x":"\\u00fc\u2028"}'.encode(),
        b' {"clientName":"a"}\t ',
    ],
)
def test_a_message_on_one_line_passes_through_byte_for_byte(message: bytes):
    _, line = decode(message)
    assert line == message


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", "\n\n"])
def test_a_message_on_several_lines_becomes_one_and_says_the_same(line_break: str):
    says = {"clientName": "a", "data": {"text": "one\ntwo\r  three", "n": [1, 2.5, None, True], "ü": "ü"}}
    text = json.dumps(says, indent=2, ensure_ascii=False).replace("\n", line_break)
    event, line = decode(text.encode())
    assert event.client_name == "a"
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line) == says


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b" ",
        b"hello",
        b"null",
        b"5",
        b"1e999",
        b'"a"',
        b"[]",
        b'["a"]',
        b'[{"clientName":"a"}]',
        b"{}",
        b'{"clientname":"a"}',
        b'{"clientName":null}',
        b'{"clientName":5}',
        b'{"clientName":["a"]}',
        b'{"clientName":{}}',
        b'{"clientName":"a"',
        b'{"clientName":"a"}}',
        b'{"clientName":"a"}{"clientName":"a"}',
        b'{"clientName":"a","data":NaN}',
        b'{"clientName":"a","data":"\xff"}',
        b'{"clientName":"a","data":"\n"}',
        b'{"clientName":"a","data":"\0"}',
        b'{"clientName":"a"}\0',
        b'\xef\xbb\xbf{"clientName":"a"}',
        b'{"clientName":"\xed\xa0\x80"}',
    ],
)
def test_an_unusable_message_is_refused_with_a_reason(message: bytes):
    with pytest.raises(UnusableMessage, match=r"\w"):
        decode(message)


def test_the_largest_message_and_one_byte_more():
    message = b'{"clientName":"a"}'.ljust(MAX_EVENT_BYTES)
    decode(message)
    with pytest.raises(UnusableMessage, match="MAX_EVENT_BYTES"):
        decode(message + b" ")


@pytest.mark.parametrize("depth", [10, 100, 500, 900, 1000, 1100, 5000, 100_000])
@pytest.mark.parametrize("line_break", ["", "\n"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_is_too_much(depth: int, line_break: str, opening: str, closing: str):
    message = f'{{"clientName":"a",{line_break}"data":{opening * depth}1{closing * depth}}}'.encode()
    try:
        _, line = decode(message, max_bytes=2**24)
    except UnusableMessage:
        assert depth > 100, "a depth that people use is usable"
    else:
        assert line == message.replace(b"\n", b"")


# Numbers that no float can hold, and with more digits than Python turns into a number.
@pytest.mark.parametrize("number", ["1" + "0" * 400, "9" * 4301, "9" * 100_000, "1e999", "1e-999"], ids=len)
@pytest.mark.parametrize("field", ["ttlMs", "deliverBy", "timestamp", "eventId", "data"])
@pytest.mark.parametrize("form", ["{}", "-{}", "[{}]", '{{"a":{}}}'])
def test_a_number_of_any_size_is_usable_in_any_field(field: str, number: str, form: str):
    message = f'{{"clientName":"a","{field}":{form.format(number)}}}'.encode()
    event, line = decode(message, len(message))
    assert (event.client_name, line) == ("a", message)


LONE = [r"\ud83d", r"caf\ud83d", r"\uDE00", r"\ud83dabc", r"\ud83d\ud83d\ude00", r"\ud83d\n", r"\\\ud83d"]


@pytest.mark.parametrize("text", LONE)
@pytest.mark.parametrize("line_break", ["", "\n"])
@pytest.mark.parametrize(
    "form",
    ['"data":"{}"', '"data":{{"{}":1}}', '"eventId":"{}"', '"timestamp":"{}"', '"ttlMs":"{}"', '"deliverBy":"{}"'],
)
def test_half_a_surrogate_pair_is_passed_through(text: str, line_break: str, form: str):
    """JSON's grammar allows it, and JSON.stringify writes it."""
    message = f'{{"clientName":"a",{line_break}{form.format(text)}}}'.encode()
    event, line = decode(message)
    assert event.client_name == "a"
    assert line == message.replace(b"\n", b"")
    assert type(event.event_id) is not str or not valid_event_id(event.event_id), "no id that is mended is used"


def test_a_whole_pair_and_an_escaped_backslash_are_what_they_are():
    event, _ = decode(rb'{"clientName":"a","eventId":"\\ud83d","x":"\ud83d","timestamp":"\ud83d\ude00"}')
    assert (event.event_id, event.timestamp) == ("\\ud83d", "\U0001f600")


def at_depth(calls: int, decoded: Any) -> Any:
    """Decode something inside of so many calls."""
    return decoded() if not calls else at_depth(calls - 1, decoded)


@pytest.mark.parametrize("levels", [700, 900, 1000])
def test_decode_remembered_takes_what_was_taken_inside_of_fewer_calls(levels: int):
    message = f'{{"clientName":"a","eventId":"x","data":{"[" * levels}{"]" * levels}}}'.encode()
    event = decode_event(message, len(message))
    assert at_depth(500, lambda: decode_remembered(message)) == event
