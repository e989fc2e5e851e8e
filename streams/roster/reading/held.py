"""What the roster's hashes hold of lanes, as it is read; pure.

Moments are milliseconds by Redis' clock since 1970, and 0 is none. Days are counted since 1970, in UTC.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from streams.roster.script import DAYS, Said

DAY_MS = 86_400_000
ALL_DAYS: int = 2**DAYS - 1
# Quicker than Said(…), which each lane would cost.
SAID = {str(said): said for said in Said}
# Ends what is known of a lane that somebody said is expected.
EXPECTED_END = f" {Said.EXPECTED}"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Who holds a lane."""

    life: str
    number: int
    opened: int


class Ended(NamedTuple):
    """The last end of a lane's connections."""

    at: int = 0
    reason: str = ""
    pod_name: str = ""


NEVER = Ended()


class Known(NamedTuple):
    """On which of the DAYS until a day a lane was there: the lowest bit is that day, the next the one before."""

    day: int
    days: int
    said: Said


class Held(NamedTuple):
    """What three hashes hold of lanes of one store, by name, as it stands there."""

    here: dict[str, str]
    seen: dict[str, str]
    known: dict[str, str]

    @property
    def said(self) -> bool:
        """Say whether somebody said which lanes this store has."""
        return any(known.endswith(EXPECTED_END) for known in self.known.values())


class Tallied(NamedTuple):
    """What the tally holds of itself.

    `history` names the Redis whose claims are read, which began at a moment; `coming` is another one, in which
    pods claim since `coming_since`. `missing_ms` is MISSING_SECONDS. All was looked at at `at`, and then the
    lives `alive` were heard.
    """

    history: str | None = None
    began: int = 0
    coming: str | None = None
    coming_since: int = 0
    missing_ms: int | None = None
    at: int = 0
    alive: frozenset[str] = frozenset()


def read_tallied(reply: list[bytes]) -> Tallied:
    """Read what HGETALL says of the tally."""
    fields = read_hash(reply)
    return Tallied(
        fields.get("history"),
        read_count(fields.get("began")) or 0,
        fields.get("coming"),
        read_count(fields.get("coming_since")) or 0,
        read_count(fields.get("missing_ms")),
        read_count(fields.get("at")) or 0,
        frozenset(fields.get("alive", "").split()),
    )


def read_hash(reply: list[bytes]) -> dict[str, str]:
    """Read what HGETALL says."""
    words = [word.decode(errors="replace") for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


def read_held(reply: list[list[bytes]]) -> Held:
    """Read three hashes."""
    return Held(*map(read_hash, reply))


def read_fields(names: list[str], reply: list[bytes | None]) -> dict[str, str]:
    """Read what HMGET says of names."""
    found = zip(names, reply or [None] * len(names), strict=True)
    return {name: value.decode(errors="replace") for name, value in found if value is not None}


def read_names(members: Iterable[bytes]) -> list[str]:
    """Read members of an index; without what is no text, which nobody of ours wrote and no cursor can go on from."""
    found = []
    for member in members:
        with contextlib.suppress(UnicodeDecodeError):
            found.append(member.decode())
    return found


def read_count(written: str | bytes | None) -> int | None:
    """Read a number; None where there is none."""
    try:
        return int(written or "")
    except ValueError:
        return None


def read_entry(written: str | None) -> Entry | None:
    """Read who holds a lane; None where nobody does, or in what is of another version."""
    if not written:
        return None
    try:
        life, number, opened = written.split(" ")
        return Entry(life, int(number), int(opened))
    except ValueError:
        return None


# What is known of a lane is what is known of thousands of others.
@functools.lru_cache(maxsize=1024)
def read_known(written: str | None) -> Known | None:
    """Read what is known of a lane; None as read_entry()."""
    try:
        day, days, said = (written or "").split(" ")
        return Known(int(day), int(days), SAID[said])
    except (ValueError, KeyError):
        return None


def read_ended(written: str | None) -> Ended:
    """Read how a lane's last connection ended."""
    if not written:
        return NEVER
    try:
        at, reason, pod_name = written.split(" ", 2)
        return Ended(int(at), reason, pod_name)
    except ValueError:
        return NEVER


def days_at(known: Known, entry: Entry | None, last: int, day: int) -> int:
    """Return on which of the DAYS until a day a lane was there, as bits; it had its entry until a moment, `last`."""
    days = known.days if known.day >= day else known.days << min(DAYS, day - known.day)
    if entry is not None:
        # min() and max() would cost as much as the rest.
        newest, oldest = day - last // DAY_MS, day - entry.opened // DAY_MS
        if newest <= 0 and oldest <= 0:
            days |= 1
        elif newest < DAYS:
            newest = max(0, newest)
            days |= (2 << min(DAYS, max(newest, oldest))) - (1 << newest)
    return days & ALL_DAYS
