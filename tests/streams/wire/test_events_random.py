"""Any bytes, and any JSON in any field: one usable line, or refused in one way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from streams.errors import UnusableMessage
from streams.wire.events import decode_remembered, payload_line
from tests.streams.builders import decode
from tests.streams.wire.json_values import any_json, json_values


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
