from __future__ import annotations

import pytest

from streams.delivery.registry import Registry
from streams.http.listing import Roster, View, similar_name, store_of
from tests.streams.builders import connect_with


def names(registry: Registry, **view: str) -> list[str]:
    return [connection.client_name for connection in Roster(registry).select(View.parse(view)).connections]


def test_a_search_looks_at_name_and_address_whatever_the_case(registry: Registry) -> None:
    connect_with(registry, "STORE001-LANE01", address="10.1.1.1:1")
    connect_with(registry, "STORE002-LANE01", address="10.2.2.2:2")
    assert names(registry, q="store001") == ["STORE001-LANE01"]
    assert names(registry, q="10.2.") == ["STORE002-LANE01"]
    assert names(registry, q="nothing") == []


def test_the_store_is_the_part_before_the_first_hyphen(registry: Registry) -> None:
    for name in ("STORE1-LANE01", "STORE10-LANE01", "STORE1", "STORE1-A-B"):
        connect_with(registry, name)
    assert names(registry, store="store1") == ["STORE1", "STORE1-A-B", "STORE1-LANE01"]
    assert store_of("STORE1-A-B") == "STORE1"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["A", "B", "C"]),
        ("-name", ["C", "B", "A"]),
        ("events", ["C", "A", "B"]),
        ("-events", ["B", "A", "C"]),
        ("since", ["B", "C", "A"]),
        ("-activity", ["A", "C", "B"]),
        ("-backlog", ["C", "A", "B"]),
        ("address", ["C", "B", "A"]),
        ("nonsense", ["A", "B", "C"]),
        ("-nonsense", ["A", "B", "C"]),
    ],
)
def test_sorting(registry: Registry, sort: str, expected: list[str]) -> None:
    connect_with(registry, "A", event_count=2, opened_at=30.0, active_at=90.0, backlog=5, address="3")
    connect_with(registry, "B", event_count=9, opened_at=10.0, active_at=50.0, address="2")
    connect_with(registry, "C", event_count=0, opened_at=20.0, active_at=70.0, backlog=7, address="1")
    assert names(registry, sort=sort) == expected


def test_a_page_has_fifty_rows_and_a_page_too_far_is_the_last(registry: Registry) -> None:
    for number in range(120):
        connect_with(registry, f"LANE{number:03d}")
    assert names(registry, page="2")[0] == "LANE050"
    selection = Roster(registry).select(View(page=99))
    assert (selection.page, selection.pages, selection.matched, len(selection.connections)) == (3, 3, 120, 20)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "²", "99999999999999999999"])
def test_a_page_that_makes_no_sense_is_the_first(page: str) -> None:
    assert View.parse({"page": page}).page == 1


def test_an_address_asks_for_the_same_view() -> None:
    view = View("lane 1&", "STORE001", "events", descending=True, page=3)
    assert view.address() == "?q=lane+1%26&store=STORE001&sort=-events&page=3"
    assert View().address() == "?"
    assert (View().order, View(sort="events").order, View(descending=True).order) == ("", "events", "-name")
    assert View(sort="events").sorted_by("events") == "?sort=-events"
    assert View(sort="events", descending=True, page=2).sorted_by("events") == "?sort=events"
    # Descending by name must not be mistaken for the default.
    assert View().sorted_by("name") == "?sort=-name"


def test_a_name_in_other_letters_may_be_meant(registry: Registry) -> None:
    connect_with(registry, "store007-lane03")
    connect_with(registry, "STORE007-LANE04")
    assert similar_name(registry, "STORE007-LANE03") == "store007-lane03"
    assert similar_name(registry, "STORE007-LANE05") is None
