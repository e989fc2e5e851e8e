"""The roster's keys in Redis, and which store a client belongs to."""

from __future__ import annotations

SEPARATOR = "-"
ROSTER = ":roster:"
# A client's transitions, a traced client's events, and until when clients are traced.
TRACE = ":trace:"
TRACED = ":traced:"
TRACING = ":tracing"


def prefix(channel: str) -> str:
    """Return what every key of the roster begins with."""
    return channel + ROSTER


def store_of(name: str) -> str:
    """Return the store of a client: what stands before the first separator, or an empty string."""
    store, separator, _lane = name.partition(SEPARATOR)
    return store if separator else ""
