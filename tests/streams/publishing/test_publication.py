"""What a back end says over HTTP, made ready to be published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InvalidEvent
from streams.publishing.publication import (
    KEYED,
    MAX_KEY_CHARACTERS,
    MAX_LEVELS,
    Defaults,
    Publication,
    draft,
    idempotency_key,
    keyed_id,
    levels,
)
from streams.wire.publication import Outgoing
from tests.streams.publishing.events import DEFAULTS, ready, said

NOW = 1_767_614_400.0
TIME = "2026-01-05T12:00:00.000Z"


def test_draft_is_the_message_of_what_was_said():
    fields: dict[str, Any] = {
        "eventId": "e-1",
        "timestamp": "2999-01-05T12:00:00.000Z",
        "ttlMs": 60,
        "deliverBy": 99_000_000_000_000,
        "receipt": True,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": {"a": [1]},
    }
    made = ready(**fields)
    assert json.loads(made.message) == {"clientName": "A-1", "action": "payment", **fields}
    assert (made.durable, made.require_online, made.over) == (True, False, None)


def test_draft_gives_what_was_not_said():
    first, second = ready(), ready()
    assert first.event.event_id.startswith("evt-")
    assert first.event.event_id != second.event.event_id
    assert json.loads(first.message)["timestamp"].endswith("Z")
    assert json.loads(first.message)["data"] is None


@pytest.mark.parametrize(
    ("default", "durable", "is_durable"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_draft_is_durable_as_it_says_or_else_by_default(default: bool, durable: bool | None, is_durable: bool):
    assert draft(said(durable=durable), Defaults(default, 1000)).durable is is_durable


@pytest.mark.parametrize(
    ("fields", "key", "ids"),
    [
        ({}, "", []),
        ({"eventId": "e-1"}, "", ["e-1"]),
        ({}, "k", [keyed_id("k", 0)]),
        ({"eventId": "e-1"}, "k", [keyed_id("k", 0), "e-1"]),
        ({"receipt": True}, "k", [keyed_id("k", 0)]),
    ],
)
def test_draft_is_known_by_the_ids_of_its_publisher(fields: dict[str, Any], key: str, ids: list[str]):
    made = ready(key=key, **fields)
    assert [each.id for each in made.ids] == ids
    if ids:
        assert made.event.event_id == ids[-1]


def test_draft_with_a_receipt_is_known_by_the_id_that_it_is_given():
    made = ready(receipt=True)
    assert [each.id for each in made.ids] == [made.event.event_id]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"timestamp": "tomorrow"}, "timestamp"),
        ({"timestamp": 5}, "timestamp"),
        ({"deliverBy": "tomorrow"}, "deliverBy"),
        ({"deliverBy": "2020-01-05T12:00:00Z"}, "deliverBy"),
        ({"timestamp": TIME, "ttlMs": 1}, "ttlMs"),
        ({"data": "x" * 1000}, "data"),
    ],
)
def test_draft_that_cannot_be_published(fields: dict[str, Any], field: str):
    with pytest.raises(InvalidEvent) as found:
        ready(**fields)
    assert found.value.field == field


def test_draft_that_is_over_may_have_been_published_before():
    made = ready(eventId="e-1", timestamp=TIME, ttlMs=1)
    assert made.over is not None
    assert (made.over.field, "already expired" in str(made.over)) == ("ttlMs", True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, None),
        ({"deliverBy": TIME}, "deliverBy"),
        ({"deliverBy": NOW * 1000 + 1}, None),
        ({"deliverBy": "tomorrow"}, None),
        ({"ttlMs": 1}, None),
        ({"timestamp": TIME}, None),
        ({"timestamp": TIME, "ttlMs": 1}, None),
        ({"timestamp": "2026-01-05T11:59:59.000Z", "ttlMs": 1000}, "ttlMs"),
        ({"timestamp": "no time", "ttlMs": 1000}, None),
        ({"timestamp": TIME, "ttlMs": 9999, "deliverBy": NOW * 1000}, "deliverBy"),
    ],
)
def test_over(fields: dict[str, Any], field: str | None):
    over = said(**fields).over(NOW)
    assert (over.field if over else None) == field


def nested(depth: int, *, mapping: bool) -> Any:
    data: Any = "x"
    for _ in range(depth):
        data = {"a": data, "b": 1} if mapping else [data, 1]
    return data


@pytest.mark.parametrize("mapping", [True, False])
def test_data_may_have_so_many_levels(mapping: bool):
    for depth in (0, 1, MAX_LEVELS):
        data = nested(depth, mapping=mapping)
        assert levels(data) == depth
        said(data=data).check()
    for depth in (MAX_LEVELS + 1, 300, 900):
        data = nested(depth, mapping=mapping)
        assert levels(data) == MAX_LEVELS + 1
        with pytest.raises(InvalidEvent, match="200 levels") as found:
            said(data=data).check()
        assert found.value.field == "data"


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_digests_are_equal_where_what_is_said_is(one: Any, other: Any):
    # Python takes True for 1, and JSON does not.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (said(data=one).digest() == said(data=other).digest()) is same


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "alert"},
        {"eventId": "e-1"},
        {"timestamp": TIME},
        {"ttlMs": 1},
        {"deliverBy": TIME},
        {"receipt": True},
        {"durable": True},
        {"requireOnline": True},
        {"client": "A-2"},
    ],
)
def test_digest_is_of_all_that_is_said(fields: dict[str, Any]):
    assert said(**fields).digest() != said().digest()


def test_digest_has_no_blank_and_knows_of_how_many_it_is_one():
    digests = [said().digest(count) for count in range(3)]
    assert len(set(digests)) == 3
    assert all(len(digest) == 32 and b" " not in digest for digest in digests)


def test_digest_does_not_depend_on_the_order_of_keys():
    one, other = said(data={"a": 1, "b": {"c": 2, "d": 3}}), said(data={"b": {"d": 3, "c": 2}, "a": 1})
    assert one.digest() == other.digest()


def test_keyed_ids_differ_by_key_and_place():
    ids = {keyed_id("k", 0), keyed_id("k", 1), keyed_id("1 k", 0), keyed_id("0 k", 1)}
    assert len(ids) == 4
    assert all(each.startswith(KEYED) and len(each) <= 128 for each in ids)
    assert keyed_id("k", 1) in ids


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, ""),
        ("abc", "abc"),
        ('"abc"', "abc"),
        (' "abc" ', "abc"),
        ('"a"b"', 'a"b'),
        ('"', '"'),
        ('"abc', '"abc'),
        ("k" * MAX_KEY_CHARACTERS, "k" * MAX_KEY_CHARACTERS),
        (f'"{"k" * MAX_KEY_CHARACTERS}"', "k" * MAX_KEY_CHARACTERS),
    ],
)
def test_idempotency_key(header: str | None, key: str):
    assert idempotency_key(header) == key


@pytest.mark.parametrize("header", ["", '""', " ", "k" * (MAX_KEY_CHARACTERS + 1), "é", "a\tb", "\0"])
def test_idempotency_key_that_is_none(header: str):
    with pytest.raises(InvalidEvent, match="255 printable ASCII"):
        idempotency_key(header)


def test_publication_has_all_that_an_event_has():
    assert set(Publication.__struct_fields__) == {*Outgoing.__struct_fields__, "durable", "require_online"}
    assert DEFAULTS.durable
