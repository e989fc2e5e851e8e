"""Times as they stand in JSON: UTC, ISO 8601, milliseconds and a Z."""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime
from email.utils import formatdate

# What four digits of a year can hold: from the beginning of year 1 to the end of 9999.
EARLIEST = -62_135_596_800
LATEST = 253_402_300_799
# In 1973. A smaller number of milliseconds is more likely one of seconds, and neither is taken for the other.
EARLIEST_MS = 100_000_000_000


def iso(seconds: float) -> str:
    """Write a Unix time, in seconds, as `2026-01-05T12:00:00.000Z`.

    Any number can be written: one outside of the years 1 to 9999 as the nearest second within,
    and NaN as the earliest.
    """
    # In this order, since NaN compares false with everything.
    if not EARLIEST <= seconds <= LATEST:
        seconds = min(LATEST, max(EARLIEST, seconds))
    return _iso_millisecond(int(seconds * 1000))


# Where many clients connect, what is written of each is mostly of one millisecond.
@functools.lru_cache(maxsize=16)
def _iso_millisecond(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_whole_second(seconds)}.{rest:03d}Z"


# Most times that are written are of the present second.
@functools.lru_cache(maxsize=16)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def unix_seconds(value: object) -> float | None:
    """Read an ISO 8601 time, in UTC unless it says otherwise, or epoch milliseconds; None for anything else."""
    if isinstance(value, str):
        return _read_iso(value)
    if isinstance(value, int | float) and EARLIEST_MS <= value <= LATEST * 1000:
        return value / 1000
    return None


# Where many events come, most have the millisecond of the one before.
@functools.lru_cache(maxsize=16)
def _read_iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def now_iso() -> str:
    """Write the present time."""
    return iso(time.time())


def http_date() -> bytes:
    """Write the present time as the header Date has it (RFC 9110, section 6.6.1)."""
    return _http_second(int(time.time()))


@functools.lru_cache(maxsize=1)
def _http_second(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()
