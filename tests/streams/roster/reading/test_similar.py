"""Which names may have been meant."""

from __future__ import annotations

import pytest

from streams.roster.reading.similar import did_you_mean, similar_names
from tests.streams.roster.fleet import Fleet


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("store001-lane01", "STORE001-LANE01"),
        ("STORE001-LANE1", "STORE001-LANE01"),
        ("STORE01-LANE02", "STORE001-LANE02"),
        ("STOER001-LANE02", "STORE001-LANE02"),
        ("store01-lane-02", None),
        ("KITCHEN", "kitchen"),
        ("kitchn", "kitchen"),
        ("ANOTHER-ONE", None),
        ("-", None),
    ],
)
async def test_similar_names(fleet: Fleet, name: str, similar: str | None):
    await fleet.beat("one")
    await fleet.connect("one", "STORE001-LANE01", "STORE001-LANE02", "STORE002-LANE01", "kitchen")
    found = await similar_names(fleet.reader, name)
    assert found[:1] == ([similar] if similar else [])


async def test_similar_names_among_thousands_of_stores(fleet: Fleet):
    """Some pages are looked through, and no more."""
    await fleet.beat("one")
    await fleet.connect("one", *(f"S{number:04}-LANE01" for number in range(2000)))
    assert await similar_names(fleet.reader, "s1234-lane01") == ["S1234-LANE01"]
    assert (await similar_names(fleet.reader, "S1234-LANE1")) == ["S1234-LANE01"]


def test_did_you_mean():
    assert did_you_mean([]) == ""
    assert did_you_mean(["A", "B"]) == " Did you mean A or B?"
