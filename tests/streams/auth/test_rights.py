from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.auth.rights import MAX_PATTERN_CHARACTERS, Holder, Right, is_pattern, matches_any
from streams.wire.events import NAME_PATTERN

names = st.from_regex(NAME_PATTERN, fullmatch=True)
literals = st.text(st.sampled_from("AZaz09._:-"), max_size=8)


@given(literals, literals)
def test_pattern_with_a_star_matches_exactly_names_that_begin_with_its_literal(literal: str, rest: str):
    name = literal + rest or "A"
    assert matches_any((literal + "*",), name)
    # Rest first: it is the literal's beginning by chance alone.
    turned = rest + literal or "A"
    assert matches_any((literal + "*",), turned) is turned.startswith(literal)


@given(names, names)
def test_pattern_without_a_star_matches_the_one_name(pattern: str, name: str):
    assert matches_any((pattern,), pattern)
    assert matches_any((pattern,), name) is (name == pattern)


@given(names)
def test_every_client_name_is_a_pattern(name: str):
    assert is_pattern(name)
    assert is_pattern(name[: MAX_PATTERN_CHARACTERS - 1] + "*")


@pytest.mark.parametrize("text", ["*", "STORE001-*", "STORE001-LANE01", "a.b_c:d-*"])
def test_is_pattern_takes_a_literal_with_a_star_at_its_end(text: str):
    assert is_pattern(text)


@pytest.mark.parametrize(
    "text",
    ["", "**", "STORE*LANE", "*LANE", "STORE001-**", "STORE 1", "A\n", "*\n", "A\r\nB", "[A-Z]+", "café", "A" * 129],
)
def test_is_pattern_refuses_all_else(text: str):
    assert not is_pattern(text)


def test_names_are_compared_with_their_case():
    assert not Holder(subscribe=("STORE001-LANE01", "LAB-*")).may(Right.SUBSCRIBE, "store001-lane01")
    assert not Holder(subscribe=("LAB-*",)).may(Right.SUBSCRIBE, "lab-1")


def test_no_name_is_no_client():
    assert not Holder(subscribe=("*",), publish=("*",)).may(Right.SUBSCRIBE)
    assert not Holder(publish=("*",)).may(Right.PUBLISH, "")


def test_rights_are_apart():
    device = Holder(subscribe=("A-*",))
    assert [right for right in Right if device.may(right, "A-1")] == [Right.SUBSCRIBE]
    sender = Holder(publish=("A-*",))
    assert [right for right in Right if sender.may(right, "A-1")] == [Right.PUBLISH]
    reader = Holder(admin=frozenset({Right.READ}))
    assert [right for right in Right if reader.may(right, "A-1")] == [Right.READ]


def test_who_may_act_may_read_and_publish_but_not_subscribe():
    operator = Holder(admin=frozenset({Right.ACT}))
    assert [right for right in Right if operator.may(right, "A-1")] == [Right.PUBLISH, Right.READ, Right.ACT]
