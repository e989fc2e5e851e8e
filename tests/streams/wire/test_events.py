from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.errors import InvalidEvent, InvalidName, UnusableMessage
from streams.wire.events import (
    ACTIONS,
    CLIENT_NAME,
    decode_event,
    decode_remembered,
    encode_event,
    name_fault,
    payload_line,
    valid_event_id,
    valid_name,
)
from tests.streams.builders import MAX_EVENT_BYTES, decode

NAME_CHARACTERS = string.ascii_letters + string.digits + "._:-"


@given(st.text(NAME_CHARACTERS, min_size=1, max_size=128).filter(lambda name: name[0].isalnum()))
def test_a_name_of_the_rule_is_returned_as_it_is(name: str):
    assert valid_name(name) == name


@given(st.text(max_size=200))
@example("a\n")
@example("Z" * 129)
@example("-a")
@example("\uff41")
@example("٣")
def test_any_other_name_is_refused(name: str):
    allowed = 1 <= len(name) <= 128 and set(name) <= set(NAME_CHARACTERS) and name[0] not in "._:-"
    if allowed:
        assert valid_name(name) == name
    else:
        with pytest.raises(InvalidName, match="1 to 128 characters"):
            valid_name(name)


@pytest.mark.parametrize("name", [None, 5, b"bytes", ["a"], {}])
def test_a_name_that_is_no_string_is_refused(name: Any):
    with pytest.raises(InvalidName, match="string"):
        valid_name(name)


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


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def assert_one_usable_line(message: bytes) -> None:
    """Decode it: refused in the one agreed way, or one line of JSON that says the same."""
    try:
        event, line = decode(message)
    except UnusableMessage:
        return
    assert b"\n" not in line
    assert b"\r" not in line
    decoded = json.loads(line.decode())
    assert decoded["clientName"] == event.client_name
    assert decoded == json.loads(message.decode())


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(message: bytes):
    assert_one_usable_line(message)


@given(json_values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_json_is_usable_or_refused(value: Any, indent: Any, ensure_ascii: bool):
    text = json.dumps({"clientName": "a", "data": value}, indent=indent, ensure_ascii=ensure_ascii)
    assert_one_usable_line(text.encode(errors="surrogatepass"))
    assert_one_usable_line(json.dumps(value, indent=indent, ensure_ascii=ensure_ascii).encode(errors="surrogatepass"))


@given(json_values, st.integers(0, 400), st.binary(max_size=5))
def test_a_damaged_message_is_usable_or_refused(value: Any, position: int, damage: bytes):
    text = json.dumps({"clientName": "a", "data": value}, indent=1).encode()
    assert_one_usable_line(text[:position] + damage + text[position + len(damage) :])


@given(st.binary(max_size=300))
@example(b"\n[")
@example(b"\n\xff")
@example(b"\n" + b"[" * 100_000)
@example(b"\n" + b"[" * 5000 + b"]" * 5000)
@example(b"\n" + b"9" * 5000)
def test_payload_line_refuses_bytes_in_one_way(message: bytes):
    """Bytes that were not decoded before raise nothing else either."""
    try:
        line = payload_line(message)
    except UnusableMessage:
        return
    assert b"\n" not in line
    assert b"\r" not in line


# Numbers that no float can hold, and with more digits than Python turns into a number.
@pytest.mark.parametrize("number", ["1" + "0" * 400, "9" * 4301, "9" * 100_000, "1e999", "1e-999"], ids=len)
@pytest.mark.parametrize("field", ["ttlMs", "deliverBy", "timestamp", "eventId", "data"])
@pytest.mark.parametrize("form", ["{}", "-{}", "[{}]", '{{"a":{}}}'])
def test_a_number_of_any_size_is_usable_in_any_field(field: str, number: str, form: str):
    message = f'{{"clientName":"a","{field}":{form.format(number)}}}'.encode()
    event, line = decode(message, len(message))
    assert (event.client_name, line) == ("a", message)


@pytest.mark.parametrize("number", ["1" + "0" * 400, "9" * 4301, "1e999"], ids=len)
def test_a_number_is_no_client_name(number: str):
    with pytest.raises(UnusableMessage, match=r"[Nn]ame"):
        decode(f'{{"clientName":{number}}}'.encode(), 5000)


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


def test_half_a_pair_in_a_name_breaks_the_rule():
    event, _ = decode(rb'{"clientName":"a\ud83d"}')
    assert not CLIENT_NAME.fullmatch(event.client_name)
    assert "half a surrogate pair" in name_fault(event.client_name)


surrogates = st.text(st.characters() | st.characters(categories=["Cs"]))
numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?\Z")
any_json = st.recursive(
    st.sampled_from(["null", "true", "false"]) | numbers | surrogates.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]")
        | st.lists(st.tuples(surrogates.map(json.dumps), inner), max_size=3).map(
            lambda items: f"{{{', '.join(f'{key} : {value}' for key, value in items)}}}"
        )
    ),
    max_leaves=8,
)
FIELDS = ("eventId", "timestamp", "ttlMs", "deliverBy", "action", "data")


@given(st.dictionaries(st.sampled_from(FIELDS), any_json), st.sampled_from(["", "\n", "\r\n  ", "\t"]))
def test_any_json_value_in_any_field_is_usable(fields: dict[str, str], space: str):
    """Whatever JSON's grammar allows is delivered: its bytes as they are, but for line breaks."""
    items = [f'{space}"clientName": "a"', *(f'{space}"{key}":{value}' for key, value in fields.items())]
    message = f"{{{','.join(items)}{space}}}".encode()
    event, line = decode(message, len(message))
    assert event.client_name == "a"
    assert "".join(line.decode().split()) == "".join(message.decode().split())
    if space in ("", "\t"):
        assert line == message
    assert decode_remembered(message) == event


@given(any_json)
def test_any_json_value_as_a_name_is_refused_or_a_name(value: str):
    try:
        event, _ = decode(f'{{"clientName":{value}}}'.encode(), 10_000)
    except UnusableMessage:
        assert not value.startswith('"')
    else:
        assert value.startswith('"')
        assert isinstance(event.client_name, str)


def at_depth(calls: int, decoded: Any) -> Any:
    """Decode something inside of so many calls."""
    return decoded() if not calls else at_depth(calls - 1, decoded)


@pytest.mark.parametrize("levels", [700, 900, 1000])
def test_decode_remembered_takes_what_was_taken_inside_of_fewer_calls(levels: int):
    message = f'{{"clientName":"a","eventId":"x","data":{"[" * levels}{"]" * levels}}}'.encode()
    event = decode_event(message, len(message))
    assert at_depth(500, lambda: decode_remembered(message)) == event


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "clientName is empty"),
        ("STORE007-LANE03 ", "clientName holds ' ': 'STORE007-LANE03 '"),
        ("STORE007-*", "clientName holds '*': 'STORE007-*'"),
        ("-a", "clientName begins with '-': '-a'"),
        ("ünï", r"clientName holds '\xfc': '\xfcn\xef'"),
        ("a\n", r"clientName holds '\n': 'a\n'"),
        ("a\ufffd", r"clientName holds U+FFFD or half a surrogate pair: 'a\ufffd'"),
        ("x" * 129, "clientName has 129 characters, more than 128: 'xxxxxxxxxxxxxxxxxxxx'…"),
    ],
)
def test_name_fault_says_what_is_wrong(name: str, fault: str):
    assert name_fault(name) == fault


@given(st.text(max_size=300).filter(lambda name: not CLIENT_NAME.fullmatch(name)))
def test_name_fault_of_any_name_is_a_short_line(name: str):
    fault = name_fault(name)
    assert fault.isascii() or "…" in fault
    assert fault.isprintable()
    assert len(fault) < 1500


def encode(client: Any = "a", action: Any = "payment", data: Any = None, event_id: Any = "evt-1", **more: Any) -> bytes:
    return encode_event(
        client, action, data, event_id=event_id, timestamp="t", **{"max_bytes": MAX_EVENT_BYTES, **more}
    )


def test_encodes_the_fields_in_the_order_that_they_always_had():
    message = encode(data={"x": 1})
    assert message == b'{"clientName":"a","action":"payment","eventId":"evt-1","timestamp":"t","data":{"x":1}}'


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
        ({"data": object()}, "data"),
        ({"data": recursive}, "data"),
        ({"data": {1j: 2}}, "data"),
        ({"data": "x" * MAX_EVENT_BYTES}, "MAX_EVENT_BYTES"),
    ],
)
def test_an_event_that_no_pod_could_deliver_is_not_encoded(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        encode(**fields)
