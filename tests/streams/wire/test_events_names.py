"""Which names clients can have, and what is said of the others."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.errors import InvalidName, UnusableMessage
from streams.wire.events import CLIENT_NAME, name_fault, valid_event_id, valid_name
from tests.streams.builders import decode

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


@pytest.mark.parametrize("number", ["1" + "0" * 400, "9" * 4301, "1e999"], ids=len)
def test_a_number_is_no_client_name(number: str):
    with pytest.raises(UnusableMessage, match=r"[Nn]ame"):
        decode(f'{{"clientName":{number}}}'.encode(), 5000)


def test_half_a_pair_in_a_name_breaks_the_rule():
    event, _ = decode(rb'{"clientName":"a\ud83d"}')
    assert not CLIENT_NAME.fullmatch(event.client_name)
    assert "half a surrogate pair" in name_fault(event.client_name)


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


@pytest.mark.parametrize("event_id", ["a", "evt-1", "x" * 128, "a b", "~!/?#%"])
def test_valid_event_id(event_id: str):
    assert valid_event_id(event_id)


@pytest.mark.parametrize("event_id", ["", "x" * 129, " a", "a ", " ", "a\n", "\0", "é", "\x7f"])
def test_event_id_that_is_none(event_id: str):
    assert not valid_event_id(event_id)
