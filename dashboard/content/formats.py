"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from streams.wire.timestamps import iso

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KIB = 1024
# Of names in a row.
NAMED = 3


def count(number: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Write a number of things: `1 lane`, `2 lanes`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def named(names: Sequence[str], most: int = NAMED) -> str:
    """Name the first few and count the rest."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(more)} more" if more > 0 else "")


def rate(per_second: float) -> str:
    """Write events per second: with a decimal only where it says something."""
    return f"{per_second:,.0f}" if per_second >= 10 or per_second == int(per_second) else f"{per_second:.1f}"


def size(size_bytes: float) -> str:
    """Write bytes in the unit that keeps the figure short."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < KIB:
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 10 else f"{size_bytes:.1f} {unit}"
        size_bytes /= KIB
    return f"{size_bytes:.1f} GiB"


def duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s" if whole < 10 * MINUTE else f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def brief(seconds: float) -> str:
    """Write a duration in its largest unit alone, for a narrow column."""
    return " ".join(duration(seconds).split()[:2])


def ago(seconds: float) -> str:
    """Write how long ago something was; coarse, so that a quiet table stays still."""
    if seconds < 2:
        return "now"
    if seconds >= HOUR:
        return f"{duration(seconds)} ago"
    return f"{int(seconds)} s ago" if seconds < MINUTE else f"{int(seconds // MINUTE)} min ago"


def moment(seconds: float) -> str:
    """Write a Unix time as a date and a time."""
    return f"{iso(seconds)[:19].replace('T', ' ')} UTC"
