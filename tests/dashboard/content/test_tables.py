from __future__ import annotations

from collections.abc import Callable

import pytest

from dashboard.content.tables import Roster, View, store_of
from streams.delivery.connection import Connection
from streams.pod import Pod

Connect = Callable[..., Connection]


def names(local_pod: Pod, **view: str) -> list[str]:
    return [connection.client_name for connection in Roster(local_pod.registry).select(View.parse(view)).connections]


def test_a_search_looks_at_name_and_address_whatever_the_case(local_pod: Pod, connect: Connect) -> None:
    connect("STORE001-LANE01", address="10.1.1.1:1")
    connect("STORE002-LANE01", address="10.2.2.2:2")
    assert names(local_pod, q="store001") == ["STORE001-LANE01"]
    assert names(local_pod, q="10.2.") == ["STORE002-LANE01"]
    assert names(local_pod, q="nothing") == []


def test_the_store_is_the_part_before_the_first_hyphen(local_pod: Pod, connect: Connect) -> None:
    for name in ("STORE1-LANE01", "STORE10-LANE01", "STORE1", "STORE1-A-B"):
        connect(name)
    assert names(local_pod, store="store1") == ["STORE1", "STORE1-A-B", "STORE1-LANE01"]
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
def test_sorting(local_pod: Pod, connect: Connect, sort: str, expected: list[str]) -> None:
    connect("A", event_count=2, opened_at=30.0, active_at=90.0, backlog=5, address="3")
    connect("B", event_count=9, opened_at=10.0, active_at=50.0, address="2")
    connect("C", event_count=0, opened_at=20.0, active_at=70.0, backlog=7, address="1")
    assert names(local_pod, sort=sort) == expected


def test_a_page_has_fifty_rows_and_a_page_too_far_is_the_last(local_pod: Pod, connect: Connect) -> None:
    for number in range(120):
        connect(f"LANE{number:03d}")
    assert names(local_pod, page="2")[0] == "LANE050"
    selection = Roster(local_pod.registry).select(View(page=99))
    assert (selection.page, selection.pages, selection.matched, len(selection.connections)) == (3, 3, 120, 20)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "²", "99999999999999999999"])
def test_a_page_that_makes_no_sense_is_the_first(page: str) -> None:
    assert View.parse({"page": page}).page == 1


def test_an_address_asks_for_the_same_view() -> None:
    view = View("lane 1&", "STORE001", "events", descending=True, page=3)
    assert view.address() == "?q=lane+1%26&store=STORE001&sort=-events&page=3"
    assert View().address() == "?"
    assert View(sort="events").sorted_by("events") == "?sort=-events"
    assert View(sort="events", descending=True, page=2).sorted_by("events") == "?sort=events"
    # Descending by name must not be mistaken for the default.
    assert View().sorted_by("name") == "?sort=-name"
