"""What is kept of an event that was published, so that a second request finds the first; pure."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import msgspec

from streams.wire.deadlines import deadline_of
from streams.wire.publication import Outgoing

ACCEPTED = ":accepted:"


class Record(msgspec.Struct, array_like=True, frozen=True):
    """One event as it was taken. `expires_at` is in Unix seconds, or None where it never does."""

    event_id: str
    client_name: str
    timestamp: str | int | float
    durable: bool
    expires_at: float | None = None


class Kept(NamedTuple):
    """A record, the digest of what was said, and its place in the journal or how many pods Redis handed it to."""

    record: Record
    digest: bytes
    log_id: str | None
    receivers: int | None


_read = msgspec.json.Decoder(Record).decode


def record_of(event: Outgoing, taken_at: float, *, durable: bool) -> Record:
    """Return what is kept of an event that is taken at a moment, in Unix seconds."""
    has_deadline = event.ttl_ms is not None or event.deliver_by is not None
    ends = deadline_of(event, taken_at).expires_at if has_deadline else inf
    return Record(event.event_id, event.client_name, event.timestamp, durable, None if ends == inf else ends)


def write_record(record: Record) -> bytes:
    """Write a record as Redis keeps it behind the digest and the place."""
    return msgspec.json.encode(record)


def read_kept(written: bytes) -> Kept:
    """Read what Redis keeps: a digest, a place and a record, with blanks between them."""
    digest, place, record = written.split(b" ", 2)
    log_id, receivers = place_of(place)
    return Kept(_read(record), digest, log_id, receivers)


def place_of(place: bytes | int) -> tuple[str | None, int | None]:
    """Tell a place in the journal from a count of pods."""
    text = str(place) if isinstance(place, int) else place.decode()
    return (text, None) if "-" in text else (None, int(text))


def is_over(record: Record, now: float) -> bool:
    """Say whether an event's deadline has passed; `now` is Unix time."""
    return record.expires_at is not None and now >= record.expires_at
