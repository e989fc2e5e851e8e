"""Entries of the journal, as Redis answers them."""

from __future__ import annotations

from typing import Any

EVENT_FIELD = b"event"

Fields = dict[bytes, bytes]
Entry = tuple[bytes, Fields]


def entry_parts(entry_id: bytes) -> tuple[int, int]:
    """Return the milliseconds of Redis's clock in an entry's id, and its number within them."""
    milliseconds, _dash, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def read_entries(reply: Any) -> list[Entry]:
    """Return the entries of an XREAD reply for one key, in RESP2's shape or RESP3's."""
    if not reply:
        return []
    streams = reply.values() if isinstance(reply, dict) else (entries for _key, entries in reply)
    found: list[Entry] = []
    for entries in streams:
        # RESP3 wraps the entries in one more list.
        flat = entries[0] if entries and isinstance(entries[0], list) else entries
        found.extend(flat)
    return found
