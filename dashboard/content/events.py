"""A client's last events, where the pod remembers them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from streams.pod import Pod

EVENTS_SHOWN = 20


class RecentEvent(NamedTuple):
    """One event as a row shows it; everything is text from outside, to be escaped."""

    key: str
    action: str
    timestamp: str
    event_id: str
    payload: str


def recent_events(pod: Pod, name: str) -> list[RecentEvent] | None:
    """Return a client's last events, newest first; None where this pod keeps no history."""
    conf = pod.conf
    if not (conf.history_seconds and conf.history_bytes and conf.history_per_client):
        return None
    remembered = pod.history.events_of(name, EVENTS_SHOWN)
    return [describe(arrived, message) for arrived, message in reversed(remembered)]


def describe(arrived: float, message: bytes) -> RecentEvent:
    """Read what a row shows out of a message, which need not hold any of it."""
    document = msgspec.json.decode(message)
    action, timestamp, event_id = (text(document.get(key)) for key in ("action", "timestamp", "eventId"))
    pretty = msgspec.json.format(message, indent=2).decode()
    # An event may have no id, or one that was used before: its arrival tells it apart.
    return RecentEvent(f"{arrived}-{event_id}", action, timestamp, event_id, pretty)


def text(value: Any) -> str:
    """Return a value of JSON as text; nothing for one that is not there."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
