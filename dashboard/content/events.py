"""A client's last events, where the pod remembers them."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import msgspec

from dashboard.content import formats
from streams.pod import Pod
from streams.wire.lenient import LEVELS, UNREADABLE, read, value_of

EVENTS_SHOWN = 20
# Of one event; publishers may send as much as they like.
PAYLOAD_BYTES = 4096
PRETTY_CHARACTERS = 4 * PAYLOAD_BYTES
TEXT_CHARACTERS = 200


class Shown(msgspec.Struct, rename="camel"):
    """The fields that a row shows, as they stand in a message."""

    action: msgspec.Raw = msgspec.Raw(b"null")
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    event_id: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(Shown).decode


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
    """Read what a row shows out of a message, which need not hold any of it, in a bounded number of characters."""
    try:
        shown = read(_decode, message, 2 * LEVELS)
    except UNREADABLE:
        # Its bytes are shown all the same.
        shown = Shown()
    action, timestamp, event_id = (text(raw) for raw in (shown.action, shown.timestamp, shown.event_id))
    # An event may have no id, or one that was used before: its arrival tells it apart.
    return RecentEvent(f"{arrived}-{event_id}", action, timestamp, event_id, payload(message))


def text(raw: msgspec.Raw) -> str:
    """Return a value of JSON as text, cut to TEXT_CHARACTERS; nothing for one that is not there."""
    written = bytes(raw)
    if written == b"null":
        return ""
    found = written.decode(errors="replace")
    if written.startswith(b'"'):
        with contextlib.suppress(UnicodeDecodeError):
            found = value_of(raw)
    return found if len(found) <= TEXT_CHARACTERS else f"{found[:TEXT_CHARACTERS]}…"


def payload(message: bytes) -> str:
    """Return a message as people read it; as it is, and cut, where that would fill a page."""
    if len(message) <= PAYLOAD_BYTES:
        with contextlib.suppress(*UNREADABLE):
            pretty = msgspec.json.format(message, indent=2).decode()
            # The blanks before each line grow with the square of the depth.
            if len(pretty) <= PRETTY_CHARACTERS:
                return pretty
    more = len(message) - PAYLOAD_BYTES
    begins = message[:PAYLOAD_BYTES].decode(errors="replace")
    return begins if more <= 0 else f"{begins}… and {formats.count(more)} bytes more"
