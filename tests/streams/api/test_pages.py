"""What pages hold and how they are asked for."""

from __future__ import annotations

import re

import msgspec
import pytest

from streams.api.pages import CURSOR_PATTERN, Client, ClientsQuery, client_of, one_of
from streams.roster.reading.lanes import Lane, LaneState, StoreState


def test_one_of():
    assert one_of(StoreState) == "complete, partial or dark"


def test_client_of_has_all_that_a_lane_has():
    lane = Lane(*(f"{field}-value" for field in Lane.__struct_fields__))  # type: ignore[arg-type]
    said = msgspec.to_builtins(client_of(lane))
    assert said == msgspec.to_builtins(lane)
    assert Client.__struct_fields__[: len(Lane.__struct_fields__)] == Lane.__struct_fields__


def test_client_leaves_out_what_is_not_known():
    assert msgspec.to_builtins(client_of(Lane("a", LaneState.OFFLINE))) == {
        "clientName": "a",
        "state": "offline",
        "expected": False,
    }


@pytest.mark.parametrize(
    ("cursor", "is_one"),
    [("", True), ("/", True), ("A-1", True), ("A/", True), ("a" * 128 + "/", True), ("a" * 129, False)]
    + [(cursor, False) for cursor in ("A//", "/A", "a b", "A\n", "é", "\0")],
)
def test_cursor_is_a_name_or_a_store_that_is_done_with(cursor: str, is_one: bool):
    assert bool(re.search(CURSOR_PATTERN, cursor)) is is_one


def test_clients_query_tells_the_nameless_store_from_none():
    assert ClientsQuery().store is msgspec.UNSET
    assert ClientsQuery(store="").store == ""
