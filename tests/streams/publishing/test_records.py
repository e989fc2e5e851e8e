"""What is kept of an event that was published."""

from __future__ import annotations

from typing import Any

import pytest

from streams.publishing.records import Kept, Record, is_over, place_of, read_kept, record_of, write_record
from streams.wire.publication import Outgoing

NOW = 1_767_614_400.0
TIME = "2026-01-05T12:00:00.000Z"


def event(**fields: Any) -> Outgoing:
    return Outgoing("A-1", "payment", {"secret": 1}, "e-1", fields.pop("timestamp", TIME), **fields)


@pytest.mark.parametrize(
    ("fields", "expires_at"),
    [
        ({}, None),
        ({"ttl_ms": 1500}, NOW + 1.5),
        ({"deliver_by": "2026-01-05T12:00:01Z"}, NOW + 1),
        ({"ttl_ms": 1500, "deliver_by": "2026-01-05T12:00:01Z"}, NOW + 1),
        ({"ttl_ms": 500, "deliver_by": "2026-01-05T12:00:01Z", "timestamp": NOW * 1000}, NOW + 0.5),
        ({"deliver_by": "no time"}, None),
    ],
)
def test_record_of(fields: dict[str, Any], expires_at: float | None):
    record = record_of(event(**fields), NOW + 99, durable=True)
    assert record == Record("e-1", "A-1", event(**fields).timestamp, True, expires_at)
    assert b"secret" not in write_record(record), "nobody can read there what was said"


@pytest.mark.parametrize(
    ("place", "log_id", "receivers"), [(b"1767-0", "1767-0", None), (b"0", None, 0), (b"12", None, 12)]
)
def test_read_kept(place: bytes, log_id: str | None, receivers: int | None):
    record = Record("an id with blanks", "A-1", TIME, log_id is not None, 5.0)
    written = b" ".join((b"digest", place, write_record(record)))
    assert read_kept(written) == Kept(record, b"digest", log_id, receivers)


def test_place_of_an_answer_of_redis():
    assert place_of(3) == (None, 3)
    assert place_of(b"1767-12") == ("1767-12", None)


@pytest.mark.parametrize(("expires_at", "over"), [(None, False), (NOW, True), (NOW - 1, True), (NOW + 1, False)])
def test_is_over(expires_at: float | None, over: bool):
    assert is_over(Record("e-1", "A-1", TIME, True, expires_at), NOW) is over
