"""Times as they stand in JSON: UTC, ISO 8601, milliseconds and a Z."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """Write a Unix time, in seconds, as `2026-01-05T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def unix_seconds(text: object) -> float | None:
    """Read an ISO 8601 time, in UTC unless it says otherwise; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def now_iso() -> str:
    """Write the present time."""
    return iso(time.time())
