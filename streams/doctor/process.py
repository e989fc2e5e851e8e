"""This process and its settings, judged; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streams.doctor.findings import Finding, bad, look, well

# What a shell has unless somebody raised it.
FEW = 1024


class Said(NamedTuple):
    """What a check of Django's said: its id, whether it is an error, its sentence and its hint."""

    id: str
    is_error: bool
    sentence: str
    hint: str


def judge_descriptors(descriptors: int | None, spare: int, said: Iterable[Said]) -> Finding:
    """Judge how many files this process may open, None for any number; `said` are the checks of it."""
    for one in said:
        return look("descriptors", one.sentence, one.hint)
    if descriptors is None:
        return well("descriptors", "this process may open any number of files")
    says = f"{descriptors:,} here, enough for {max(0, descriptors - spare):,} streams"
    if descriptors <= FEW:
        return look("descriptors", says, "If the pods have no more, raise their limit (ulimit -n 65536).")
    return well("descriptors", says)


def judge_settings(said: Iterable[Said]) -> Iterator[Finding]:
    """Judge what the checks of all settings said."""
    found = [(bad if one.is_error else look)("settings", f"{one.sentence} ({one.id})", one.hint) for one in said]
    yield from found or [well("settings", "none contradicts another")]
