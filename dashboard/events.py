"""A client's last events, where the pod remembers them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from streams.worker import Worker

EVENTS_SHOWN = 20


class RecentEvent(NamedTuple):
    """One event as a row shows it; everything is text from outside, to be escaped."""

    key: str
    action: str
    timestamp: str
    event_id: str
    payload: str


def recent_events(worker: Worker, name: str) -> list[RecentEvent] | None:
    """Return a client's last events, newest first; None where this pod keeps no history.

    The pod's history offers `events_of(name)`: payloads as they were published, oldest first.
    """
    events_of: Callable[[str], Iterable[bytes]] | None = getattr(getattr(worker, "history", None), "events_of", None)
    if events_of is None:
        return None
    payloads = list(events_of(name))[-EVENTS_SHOWN:]
    return [describe(payload) for payload in reversed(payloads)]


def describe(payload: bytes) -> RecentEvent:
    """Read what a row shows out of a payload, which need not hold any of it."""
    document = msgspec.json.decode(payload)
    action, timestamp, event_id = (text(document.get(key)) for key in ("action", "timestamp", "eventId"))
    pretty = msgspec.json.format(payload, indent=2).decode()
    return RecentEvent(event_id or str(hash(payload)), action, timestamp, event_id, pretty)


def text(value: Any) -> str:
    """Return a value of JSON as text; nothing for one that is not there."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
