"""Until when an event is worth something: its `deliverBy`, and its `ttlMs`."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple, Protocol

from streams.wire.timestamps import unix_seconds

SHOWN_CHARACTERS = 60


class Timed(Protocol):
    """What may have a deadline: an event, or what is to be one. Its fields may hold anything."""

    @property
    def timestamp(self) -> Any: ...

    @property
    def ttl_ms(self) -> Any: ...

    @property
    def deliver_by(self) -> Any: ...


class Deadline(NamedTuple):
    """When an event expires, in Unix seconds, inf where never; and what of it cannot be read, if anything."""

    expires_at: float
    unreadable: str


def deadline_of(event: Timed, taken_at: float) -> Deadline:
    """Return an event's deadline, the earlier one where it has two.

    `deliverBy` is a time; `ttlMs` counts milliseconds from the event's own `timestamp`, and without
    one from when Redis or this pod took it, in Unix seconds. What cannot be read as such sets none:
    better late than lost by a typing error. Nothing that JSON can hold in these fields raises.
    """
    deliver_by = unix_seconds(event.deliver_by)
    faults = []
    if deliver_by is None and event.deliver_by is not None:
        faults.append(f"deliverBy is no time: {_shown(event.deliver_by)}")
    ends, fault = _end_of_life(event, taken_at)
    if fault:
        faults.append(fault)
    return Deadline(min(inf if deliver_by is None else deliver_by, ends), "; ".join(faults))


def has_expired(event: Timed, now: float, taken_at: float) -> bool:
    """Say whether an event's deadline has passed; both times are Unix seconds."""
    return now >= deadline_of(event, taken_at).expires_at


def _end_of_life(event: Timed, taken_at: float) -> tuple[float, str]:
    """Return when `ttlMs` is over, and what is wrong with it, if anything."""
    ttl_ms = event.ttl_ms
    if ttl_ms is None:
        return inf, ""
    if not isinstance(ttl_ms, int | float) or isinstance(ttl_ms, bool):
        return inf, f"ttlMs is no number of milliseconds: {_shown(ttl_ms)}"
    sent = taken_at if event.timestamp is None else unix_seconds(event.timestamp)
    if sent is None:
        return inf, f"ttlMs counts from timestamp, which is no time: {_shown(event.timestamp)}"
    try:
        return sent + ttl_ms / 1000, ""
    except OverflowError:
        # A whole number that no float can hold is further away than any time.
        return (-inf if ttl_ms < 0 else inf), ""


def _shown(value: object) -> str:
    """Write a value from outside on one short line."""
    if not isinstance(value, str | int | float):
        # It may be nested deeper than Python writes.
        return f"a {type(value).__name__}"
    text = repr(value[:SHOWN_CHARACTERS] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
