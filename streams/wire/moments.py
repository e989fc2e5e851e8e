"""Python's own times as an event has them; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import overload

from streams.errors import InvalidEvent
from streams.wire.timestamps import iso

Moment = datetime | str | int | float


@overload
def written_moment(moment: Moment, field: str) -> str | int | float: ...


@overload
def written_moment(moment: Moment | None, field: str) -> str | int | float | None: ...


def written_moment(moment: Moment | None, field: str) -> str | int | float | None:
    """Write a datetime in UTC, and leave anything else as it is; raises InvalidEvent, which names `field`."""
    if not isinstance(moment, datetime):
        return moment
    if moment.utcoffset() is None:
        raise InvalidEvent(
            f"{field} must be an aware datetime, and {moment.isoformat(' ')} has no zone: "
            "datetime.now(UTC) and django.utils.timezone.now() have one.",
            field,
        )
    return iso(moment.timestamp())


def whole_milliseconds(ttl: timedelta, ttl_ms: int | None = None) -> int:
    """Return a length of life as `ttlMs`; raises InvalidEvent."""
    if ttl_ms is not None:
        raise InvalidEvent("ttl and ttl_ms say the same: give one of them.", "ttlMs")
    if not isinstance(ttl, timedelta):
        raise InvalidEvent(f"ttl must be a timedelta, such as timedelta(minutes=1), not {ttl!a:.40}.", "ttlMs")
    milliseconds = ttl // timedelta(milliseconds=1)
    if milliseconds < 1:
        raise InvalidEvent(f"ttl must be a millisecond or more, not {ttl.total_seconds():g} s.", "ttlMs")
    return milliseconds
