from __future__ import annotations

import json
import math
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.wire.lenient import UNREADABLE, read, value_of, without_lone_surrogates

decode = msgspec.json.Decoder().decode


def test_read_gives_what_the_decoder_gives():
    assert read(decode, b'{"a":[1,"x"]}') == {"a": [1, "x"]}


def test_read_has_a_sign_in_place_of_half_a_surrogate_pair():
    assert read(decode, rb'"a\ud83d\n\\ud83d\ud83d\ude00\udc00"') == "a\ufffd\n\\ud83d\U0001f600\ufffd"


@pytest.mark.parametrize("levels", [900, 1200])
def test_read_has_room_for_the_levels_that_it_is_given(levels: int):
    nested = b"[" * levels + b"]" * levels
    limit = sys.getrecursionlimit()
    value: Any = read(decode, nested, 2000)
    assert sys.getrecursionlimit() == limit
    for _ in range(levels - 1):
        (value,) = value
    assert value == []


@pytest.mark.parametrize("text", [b"", b"{", b"nan", b"[1,]", b'"\xff"', b"[" * 100_000, rb"\ud83d", rb'{"a":\ud83d}'])
def test_read_refuses_what_is_no_json(text: bytes):
    with pytest.raises(UNREADABLE):
        read(decode, text)


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
@example("\ud83d\\ude00")
@example("\ude00\ud83d")
def test_without_lone_surrogates_changes_nothing_else(text: str):
    expected = "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in paired(text))
    assert json.loads(without_lone_surrogates(json.dumps(text).encode())) == expected


def paired(text: str) -> str:
    """Return the text with the pairs of surrogates that it may hold as what they stand for."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b'"a"', "a"),
        (b"1.5", 1.5),
        (b"1e999", math.inf),
        (b"-1e999", -math.inf),
        (b"9" * 5000, math.inf),
        (b"[1e999]", b"[1e999]"),
        (b"[" * 100_000, b"[" * 100_000),
    ],
    ids=lambda value: repr(value)[:10],
)
def test_value_of_anything_that_can_stand_in_a_document(text: bytes, value: object):
    assert value_of(msgspec.Raw(text)) == value


def test_value_of_what_is_not_utf8_is_refused():
    with pytest.raises(UnicodeDecodeError):
        value_of(msgspec.Raw(b'"\xff"'))
