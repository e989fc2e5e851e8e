"""What the tally looks at again, and what it writes of what it found; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from streams.roster.reading.held import Tallied
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.reading.states import StoreNow, Summary
from streams.roster.tally.scripts import NONE, TOTALS, UNCHANGED

# All pods have claimed anew in another Redis by then; until then the claims in the former one say more.
SETTLE_MS = 10_000
# A large store is looked at again after so long for each of its lanes.
LARGE_MS_PER_LANE = 0.2
SOONEST_MS = 1_000
ROUND_SECONDS = 1.0
# To look at a lane takes some microseconds, and this a hundredth of the time, also while all clients come back.
SECONDS_PER_LANE = 0.0003
# Below the time after which another pod takes over.
MAX_PAUSE_SECONDS = 3.0


class Decision(NamedTuple):
    """What the tally holds of itself from now on, and what it looks at again for that reason."""

    tallied: Tallied
    everything: bool
    lives: frozenset[str]


def decide(before: Tallied, now: int, history: str, missing_ms: int, alive: frozenset[str]) -> Decision:
    """Decide at the beginning of a round, in a Redis whose history has this name and hears these lives."""
    if before.history is None:
        return Decision(Tallied(history, now, missing_ms=missing_ms, alive=alive), everything=True, lives=frozenset())
    after = before._replace(missing_ms=missing_ms, alive=alive)
    everything = missing_ms != before.missing_ms
    if history == before.history:
        after = after._replace(coming=None)
    elif history != before.coming:
        after = after._replace(coming=history, coming_since=now)
    elif now - before.coming_since >= SETTLE_MS:
        after = after._replace(history=history, began=before.coming_since, coming=None)
        everything = True
    return Decision(after, everything, before.alive ^ alive)


class Look(NamedTuple):
    """What one look at a store found: its summary before, or None, and its state, or None where it was left out."""

    store: str
    before: Summary | None
    now: StoreNow | None
    # When to look again, 0 is never.
    again: int


def looked(store: str, before: Summary | None, found: StoreNow, now: int) -> Look:
    """Return what a look at a whole store found at a moment."""
    # What is gone by now is taken away after this look, and then it is looked at again anyway.
    return Look(store, before, found, max(found.again, now + SOONEST_MS) if found.again else 0)


def differences(looks: Iterable[Look]) -> list[int]:
    """Return by how much the totals change, in the order of TOTALS."""
    sums = [0] * len(TOTALS)
    for _store, before, now, _again in looks:
        if now is not None:
            for place, (new, old) in enumerate(zip(_counts(now.summary), _counts(before), strict=True)):
                sums[place] += new - old
    return sums


def _counts(summary: Summary | None) -> list[int]:
    if summary is None or not summary.lanes:
        return [0] * len(TOTALS)
    counts = msgspec.structs.asdict(summary) | {
        "stores": 1,
        "dark_stores": int(summary.state is StoreState.DARK),
        "partial_stores": int(summary.state is StoreState.PARTIAL),
    }
    return [counts[field] for field in TOTALS]


def rows(looks: Iterable[Look]) -> list[str | bytes | int]:
    """Return what WRITE takes of looks."""
    written: list[str | bytes | int] = []
    for store, before, now, again in looks:
        if now is None or now.summary == before:
            written += (store, UNCHANGED, "", "", again)
        elif not now.summary.lanes:
            written += (store, NONE, "", "", again)
        else:
            summary = now.summary
            lane_states = " ".join(state for state in LaneState if getattr(summary, state))
            written += (store, msgspec.json.encode(summary), summary.state, lane_states, again)
    return written


def due_at(looked_at: int, lanes: int) -> int:
    """Return when a large store may be looked at again."""
    return looked_at + round(LARGE_MS_PER_LANE * lanes)


def pause_after(lanes: int) -> float:
    """Return for how many seconds nothing is looked at after a round that looked at so many lanes."""
    return min(MAX_PAUSE_SECONDS, max(ROUND_SECONDS, SECONDS_PER_LANE * lanes))
