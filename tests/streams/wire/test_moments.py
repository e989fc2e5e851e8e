"""Python's own times as an event has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from streams.errors import InvalidEvent
from streams.wire.moments import whole_milliseconds, written_moment


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 5, 12, tzinfo=UTC), "2026-01-05T12:00:00.000Z"),
        (datetime(2026, 1, 5, 12, 0, 0, 123_999, UTC), "2026-01-05T12:00:00.123Z"),
        (datetime(2026, 1, 5, 13, tzinfo=timezone(timedelta(hours=1))), "2026-01-05T12:00:00.000Z"),
        ("2026-01-05T12:00:00Z", "2026-01-05T12:00:00Z"),
        ("tomorrow", "tomorrow"),
        (1_767_614_400_000, 1_767_614_400_000),
        (None, None),
    ],
)
def test_a_datetime_is_written_in_utc_and_all_else_left(moment: Any, written: Any):
    assert written_moment(moment, "deliverBy") == written


def test_a_naive_datetime_is_refused():
    with pytest.raises(InvalidEvent, match="deliverBy must be an aware datetime, and 2026-01-05 12:00:00 has no") as no:
        written_moment(datetime(2026, 1, 5, 12), "deliverBy")  # noqa: DTZ001
    assert no.value.field == "deliverBy"


@pytest.mark.parametrize(
    ("ttl", "milliseconds"),
    [
        (timedelta(minutes=1), 60_000),
        (timedelta(milliseconds=1), 1),
        (timedelta(microseconds=1_999), 1),
        (timedelta(days=400), 34_560_000_000),
    ],
)
def test_a_length_of_life_is_whole_milliseconds(ttl: timedelta, milliseconds: int):
    assert whole_milliseconds(ttl) == milliseconds


@pytest.mark.parametrize(
    ("ttl", "ttl_ms", "sentence"),
    [
        (timedelta(0), None, "a millisecond or more, not 0 s"),
        (timedelta(seconds=-2), None, "a millisecond or more, not -2 s"),
        (timedelta(microseconds=999), None, "a millisecond or more"),
        (60, None, "must be a timedelta, such as timedelta\\(minutes=1\\), not 60"),
        (timedelta(minutes=1), 60_000, "say the same"),
    ],
)
def test_a_length_of_life_that_cannot_be_meant_is_refused(ttl: Any, ttl_ms: int | None, sentence: str):
    with pytest.raises(InvalidEvent, match=sentence) as no:
        whole_milliseconds(ttl, ttl_ms)
    assert no.value.field == "ttlMs"
