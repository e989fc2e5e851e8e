"""Which state lanes and stores are in, as it follows from what the roster's hashes hold; pure.

Moments are milliseconds by Redis' clock since 1970, and 0 is none. Days are counted since 1970, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from streams.roster.lives import FORGET_SECONDS, LIFE_SECONDS, read_lives
from streams.roster.reading.held import (
    DAY_MS,
    Ended,
    Entry,
    Held,
    Known,
    Tallied,
    days_at,
    read_ended,
    read_entry,
    read_known,
)
from streams.roster.reading.lanes import LaneState, StoreState
from streams.roster.script import DAYS, Said

LIFE_MS = round(1000 * LIFE_SECONDS)
# A dead pod's entries are taken for ended then.
BURY_MS = round(1000 * FORGET_SECONDS)
BURIED = "pod-lost"
# Of the last DAYS.
EXPECTED_DAYS = 2
# A lane of which nobody said that it is expected is forgotten when it was away for so long.
FORGET_DAYS = 90
MAX_NAMED = 1_000


class Beat(NamedTuple):
    """When a life was last heard, and what its pod's name is."""

    at: int
    pod_name: str = ""


class View(NamedTuple):
    """What lanes are looked at against.

    `began` is when pods began to claim in this Redis: nothing older says who is there. `pods` are by their
    lives. With a `missing_ms` of None no lane is missing.
    """

    now: int
    began: int
    missing_ms: int | None
    pods: Mapping[str, Beat]

    @property
    def day(self) -> int:
        return self.now // DAY_MS

    def alive(self, life: str) -> bool:
        """Say whether a life is heard."""
        beat = self.pods.get(life)
        return beat is not None and self.now - beat.at < LIFE_MS


def view_of(now: int, tallied: Tallied, pods: list[bytes]) -> View:
    """Read what lanes are looked at against; `pods` is what HGETALL says of them."""
    heard = read_lives(now, pods)
    beats = {each.life: Beat(now - round(1000 * each.silent_seconds), each.says.pod_name) for each in heard}
    return View(now, tallied.began, tallied.missing_ms, beats)


class LaneNow(msgspec.Struct, frozen=True, gc=False, order=True):
    """One lane at a moment.

    `since` is when it got into its state, `away` since when it is not connected; `again` is when its state
    may change by time alone.
    """

    name: str
    state: LaneState
    expected: bool
    since: int
    away: int
    again: int
    entry: Entry | None
    ended: Ended


class Summary(msgspec.Struct, array_like=True, frozen=True):
    """One store at a moment; `missing_named` are the first MAX_NAMED of the missing, `said` is that of Held.

    `dark_since` is when the last lane of a dark store went. `opened` is when the first came after all were away
    for MISSING_SECONDS, or 0: who is not there yet has as long from then on.
    """

    state: StoreState
    lanes: int
    expected: int
    connected: int
    offline: int
    unknown: int
    missing: int
    said: bool
    missing_named: list[str]
    dark_since: int = 0
    opened: int = 0


_summary = msgspec.json.Decoder(Summary)


def read_summary(written: bytes | None) -> Summary | None:
    """Read a store's sum; None where there is none, or one of another version."""
    try:
        return _summary.decode(written or b"")
    except msgspec.DecodeError:
        return None


class Gone(NamedTuple):
    """What is held of a lane that is to go: an entry, for what follows of it, or all of it.

    `entry` is the entry, or an empty string; `known` is what is known of it by then. `seen` and `will_be_known`
    stand for it afterwards, and are empty where nothing does.
    """

    name: str
    entry: str
    known: str
    seen: str = ""
    will_be_known: str = ""


class StoreNow(NamedTuple):
    """One store and its lanes in any order; `again` is when to look once more by time alone, 0 is never."""

    lanes: list[LaneNow]
    summary: Summary
    again: int
    gone: list[Gone]


def look(held: Held, view: View, before: Summary | None = None) -> StoreNow:
    """Look at all lanes of a store; `before` is what the last look found."""
    names = held.known.keys() | held.here.keys()
    said, opened = held.said, opened_at(held, view, before)
    lanes = [lane for name in names if (lane := look_at(name, held, view, said=said, opened=opened)) is not None]
    expected = sum(lane.expected for lane in lanes)
    there = sum(lane.state is LaneState.CONNECTED for lane in lanes)
    # Night, or the store's line.
    if dark := bool(expected) and not there:
        lanes = list(map(in_the_dark, lanes))
    missing = [lane.name for lane in lanes if lane.state is LaneState.MISSING]
    unknown = sum(lane.state is LaneState.UNKNOWN for lane in lanes)
    summary = Summary(
        StoreState.DARK if dark else StoreState.PARTIAL if missing else StoreState.COMPLETE,
        lanes=len(lanes),
        expected=expected,
        connected=there,
        offline=len(lanes) - there - unknown - len(missing),
        unknown=unknown,
        missing=len(missing),
        said=said,
        missing_named=sorted(missing)[:MAX_NAMED],
        dark_since=max(lane.away for lane in lanes) if dark else 0,
        opened=opened,
    )
    again = min((lane.again for lane in lanes if lane.again), default=0)
    away = names.difference(lane.name for lane in lanes if lane.state is LaneState.CONNECTED)
    return StoreNow(lanes, summary, again, [gone for name in away if (gone := _gone(name, held, view)) is not None])


def opened_at(held: Held, view: View, before: Summary | None) -> int:
    """Return when a store opened, as Summary has it; one that was dark for a moment only has not opened again."""
    if before is None:
        return 0
    if before.state is not StoreState.DARK or view.missing_ms is None:
        return before.opened
    first = min((entry.opened for name in connected(held, view) if (entry := read_entry(held.here[name]))), default=0)
    return first if first - before.dark_since >= view.missing_ms else before.opened


def look_for(names: Iterable[str], held: Held, view: View, before: Summary | None = None) -> list[LaneNow]:
    """Look at some lanes of a store of which all is held, in this order; `before` is that of look().

    It is quicker than look() where any lane is connected.
    """
    if not any(connected(held, view)):
        lanes = {lane.name: lane for lane in look(held, view, before).lanes}
        return [lanes[name] for name in names if name in lanes]
    said, opened = held.said, opened_at(held, view, before)
    return [lane for name in names if (lane := look_at(name, held, view, said=said, opened=opened)) is not None]


def look_apart(names: Iterable[str], held: Held, view: View, tallied: Summary | None) -> list[LaneNow]:
    """Look at some lanes of a store of which no others are held; it is as the tally found it last."""
    said, opened = (tallied.said, tallied.opened) if tallied else (False, 0)
    lanes = [lane for name in names if (lane := look_at(name, held, view, said=said, opened=opened)) is not None]
    return list(map(in_the_dark, lanes)) if tallied and tallied.state is StoreState.DARK else lanes


def connected(held: Held, view: View) -> Iterator[str]:
    """Give the names of the lanes that are connected."""
    return (name for name, written in held.here.items() if view.alive(written.partition(" ")[0]))


def in_the_dark(lane: LaneNow) -> LaneNow:
    """Return a lane of a store that has lanes to expect and none that is connected: it is not missing."""
    if lane.state is not LaneState.MISSING:
        return lane
    return replace(lane, state=LaneState.UNKNOWN if lane.entry else LaneState.OFFLINE, since=lane.away)


def look_at(name: str, held: Held, view: View, *, said: bool, opened: int = 0) -> LaneNow | None:
    """Look at one lane, of a store that is not dark; None where it is not known.

    `said` is that of all its lanes, and `opened` that of its store's Summary.
    """
    entry, known = read_entry(held.here.get(name)), read_known(held.known.get(name))
    if known is not None and known.said is Said.RETIRED:
        known = None
    if entry is None and known is None:
        return None
    ended = read_ended(held.seen.get(name))
    there = entry is not None and view.alive(entry.life)
    last = view.now if there else _last(entry, ended, view)
    day = view.day
    days = days_at(known, entry, last, day) if known else 0
    expected = known is not None and (known.said is Said.EXPECTED if said else days.bit_count() >= EXPECTED_DAYS)
    if entry and there:
        # One day more makes it a lane that is expected.
        again = 0 if expected or said or known is None else (day + 1) * DAY_MS
        return LaneNow(name, LaneState.CONNECTED, expected, entry.opened, 0, again, entry, ended)
    # Redis may have been another one that it was in until then.
    away = max(last, view.began)
    missing_at = max(away, opened) + view.missing_ms if expected and view.missing_ms is not None else 0
    again = _again_when_away(known, entry, last, days if expected and not said else 0, day)
    if missing_at and view.now >= missing_at:
        since = missing_at if last else 0
        return LaneNow(name, LaneState.MISSING, expected, since, away if last else 0, again, entry, ended)
    state = LaneState.UNKNOWN if entry else LaneState.OFFLINE
    again = min(again, missing_at) if again and missing_at else again or missing_at
    return LaneNow(name, state, expected, last, away if last else 0, again, entry, ended)


def _last(entry: Entry | None, ended: Ended, view: View) -> int:
    """Return the last moment at which a lane may have been connected, which it is not now."""
    if entry is None:
        return ended.at
    beat = view.pods.get(entry.life)
    return beat.at if beat else entry.opened


def _again_when_away(known: Known | None, entry: Entry | None, last: int, days: int, day: int) -> int:
    """Return when to look again at a lane that is away; `days` are those that make it expected, or 0."""
    moments = []
    if entry is not None:
        moments.append(last + BURY_MS)
    elif known is not None and known.said is Said.LEARNED:
        moments.append((known.day + FORGET_DAYS) * DAY_MS)
    if days:
        # The second of the newest days is the one that makes it expected.
        second = days & (days - 1)
        moments.append((day + DAYS - (second & -second).bit_length() + 1) * DAY_MS)
    return min(moments, default=0)


def _gone(name: str, held: Held, view: View) -> Gone | None:
    written, is_known = held.here.get(name, ""), held.known.get(name, "")
    entry, known = read_entry(written), read_known(is_known)
    if entry is None:
        if known is None or known.said is Said.EXPECTED:
            return None
        long_ago = known.said is Said.RETIRED or view.day - known.day >= FORGET_DAYS
        return Gone(name, "", is_known) if long_ago else None
    last = _last(entry, Ended(), view)
    if view.now - last < BURY_MS:
        return None
    beat = view.pods.get(entry.life)
    seen = f"{last} {BURIED} {beat.pod_name if beat else ''}"
    if known is not None and known.said is not Said.RETIRED:
        is_known_then = f"{view.day} {days_at(known, entry, last, view.day)} {known.said}"
        return Gone(name, written, is_known, seen, is_known_then)
    return Gone(name, written, is_known, seen, is_known)
