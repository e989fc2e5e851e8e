"""What the journal's reader asks, what Redis answers, and what that brings: values."""

from __future__ import annotations

from typing import Any, NamedTuple

EVENT_FIELD = b"event"

Fields = dict[bytes, bytes]
Entry = tuple[bytes, Fields]


class Facts(NamedTuple):
    """What Redis says at a connect.

    `time` is Unix time by its clock, `newest` the id of the journal's last entry, `held` whether the journal
    has the entry at the position. `uptime` is for how many seconds Redis has run, rounded down. `durable` is
    whether a restart keeps everything that Redis has acknowledged.
    """

    run_id: str
    time: float
    newest: bytes | None
    held: bool
    uptime: float
    durable: bool


class Read(NamedTuple):
    """The next question to Redis: XREAD after an id, and whether the entry before is still held."""

    after: bytes
    limit: int
    block_ms: int | None
    # The range whose first entry tells whether the journal still holds the position.
    held_from: bytes
    held_to: bytes


class Taken(NamedTuple):
    """What an answer brought: messages with the moments at which Redis took them, and what may be lost.

    `past` says that they are from before this pod was caught up. `lost_since` is the moment since which
    entries may be gone unread, or None. `displaced` says that the journal has no entry at or behind the
    position any more: call relocated(). Of entries whose moment is `unsure_since` or later it is only known
    that they were taken since then. Moments are monotonic seconds of this process.
    """

    messages: list[bytes]
    moments: list[float]
    past: bool
    lost_since: float | None
    displaced: bool
    unsure_since: float | None = None


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
