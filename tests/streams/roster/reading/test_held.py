"""What the hashes hold, as it is read."""

from __future__ import annotations

import pytest

from streams.roster.reading.held import (
    ALL_DAYS,
    Ended,
    Entry,
    Held,
    Known,
    Tallied,
    days_at,
    read_count,
    read_ended,
    read_entry,
    read_fields,
    read_hash,
    read_held,
    read_known,
    read_names,
    read_tallied,
)
from streams.roster.script import Said

DAY = 20_000
DAY_MS = 86_400_000


def test_read_hash():
    assert read_hash([b"a", b"1", b"b", b"2"]) == {"a": "1", "b": "2"}


def test_read_hash_of_no_text():
    """It is left to be what nobody is called."""
    assert read_hash([b"\xff", b"1"]) == {"\ufffd": "1"}


def test_read_names():
    """What is no text is left out."""
    assert read_names([b"a", b"\xff", b"b"]) == ["a", "b"]


@pytest.mark.parametrize(("written", "count"), [("7", 7), (b"7", 7), ("", None), (None, None), ("x", None)])
def test_read_count(written: str | bytes | None, count: int | None):
    assert read_count(written) == count


def test_read_held():
    held = read_held([[b"A-1", b"life 1 2"], [], [b"A-1", b"20000 1 0"]])
    assert held == Held({"A-1": "life 1 2"}, {}, {"A-1": "20000 1 0"})


@pytest.mark.parametrize(("known", "said"), [("1 0 1", True), ("1 1 0", False), ("11 11 0", False), ("0 0 2", False)])
def test_said(known: str, said: bool):
    assert Held({}, {}, {"A-1": "1 1 0", "A-2": known}).said is said


def test_read_fields():
    """Names of which nothing is held are left out."""
    assert read_fields(["a", "b"], [None, b"2"]) == {"b": "2"}
    # A foreign key.
    assert read_fields(["a", "b"], []) == {}


def test_read_tallied():
    assert read_tallied([]) == Tallied()
    reply = [b"history", b"", b"began", b"5", b"missing_ms", b"6", b"at", b"7", b"alive", b"one two"]
    assert read_tallied(reply) == Tallied("", 5, missing_ms=6, at=7, alive=frozenset({"one", "two"}))
    assert read_tallied([b"coming", b"x", b"coming_since", b"8"]) == Tallied(coming="x", coming_since=8)


def test_read_entry():
    assert read_entry("life 7 1000") == Entry("life", 7, 1000)
    assert read_entry(None) is None
    assert read_entry("life 7") is None


def test_read_known():
    assert read_known("20000 3 1") == Known(DAY, 3, Said.EXPECTED)
    assert read_known("20000 3 7") is None
    assert read_known(None) is None


def test_read_ended():
    """A pod's name may have blanks in it."""
    assert read_ended("1000 dead-peer pod 1") == Ended(1000, "dead-peer", "pod 1")
    assert read_ended(None) == read_ended("soon dead-peer pod") == Ended()


@pytest.mark.parametrize(
    ("opened_ago", "last_ago", "days"),
    [(0, 0, 0b1), (2, 0, 0b111), (3, 2, 0b1100), (50, 0, ALL_DAYS), (50, 12, 0b11_0000_0000_0000), (50, 14, 0)],
)
def test_days_at_of_an_entry(opened_ago: int, last_ago: int, days: int):
    """All days from its opening until it was last there."""
    entry = Entry("life", 1, (DAY - opened_ago) * DAY_MS + 5)
    assert days_at(Known(DAY - 60, 1, Said.LEARNED), entry, (DAY - last_ago) * DAY_MS + 5, DAY) == days


def test_days_at_without_an_entry():
    assert days_at(Known(DAY - 2, 0b101, Said.LEARNED), None, 0, DAY) == 0b10100


def test_days_at_of_clocks_that_were_set_back():
    """What lies ahead is of today."""
    entry = Entry("life", 1, (DAY + 2) * DAY_MS)
    assert days_at(Known(DAY + 1, 1, Said.LEARNED), entry, (DAY + 2) * DAY_MS, DAY) == 1
