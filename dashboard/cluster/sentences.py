"""What a client's trace tells, an entry at a time, in words; pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from dashboard.cluster.words import CLOSE_SENTENCES
from dashboard.content import formats
from dashboard.content.formats import counted
from dashboard.content.pages import Row
from streams.auth.results import Result
from streams.delivery.observing.observer import Fate
from streams.history.coverage import GapReason
from streams.roster.tracing.entries import BY_LOCK, ENDS, REMEMBERED, Kind, TraceEntry
from streams.wire.timestamps import unix_seconds

# Between what two pods note at the same moment.
CERTAIN_SECONDS = 1.0
GAP_SENTENCES = {reason.value: reason.sentence for reason in GapReason}
TOKEN_SENTENCES = {
    f"{BY_LOCK}{Result.NONE}": "It brought no token.",
    f"{BY_LOCK}{Result.INVALID}": "Its token is none that pods take: forged, cut off, or of another key.",
    f"{BY_LOCK}{Result.SCOPE}": "Its token is for other clients.",
}
FATES = {
    Fate.WRITTEN: "written to the client's socket",
    Fate.WAITING: "waits behind what the client has not taken yet",
    Fate.REPLAYED: "written in a replay",
    Fate.REPEATED: "not written: the client has it already",
    Fate.EXPIRED: "not written: it was too old",
    Fate.CUT: "lost: the stream ended while it was written",
    Fate.UNCLAIMED: "nobody was connected",
    REMEMBERED: "heard; whether the client got it is not recorded",
}


def met_nobody(entries: Sequence[TraceEntry], away_since: str | None = None) -> set[int]:
    """Return the ids of the events, as objects, of a trace, oldest first, that came when no stream was open.

    A pod that remembers an event cannot say so: it knows its own streams alone. Where a pod gave no answer, or
    not all was recorded, nobody can, but for what the roster says: `away_since` is since when nobody has the client.
    """
    found: set[int] = set()
    if any(entry.kind is Kind.UNANSWERED for entry in entries):
        return found
    open_streams: set[str] = set()
    ended_at, away_at = inf, unix_seconds(away_since) or inf
    for entry in entries:
        if entry.kind is Kind.OPENED:
            open_streams.add(entry.stream)
        elif entry.kind in ENDS and entry.stream:
            open_streams.discard(entry.stream)
            ended_at = _at(entry)
        elif entry.kind is Kind.LEFT_OUT and not entry.fate:
            ended_at = inf
        elif entry.fate == REMEMBERED:
            nobody_since = min(inf if open_streams else ended_at, away_at)
            if _at(entry) > nobody_since + CERTAIN_SECONDS:
                found.add(id(entry))
    return found


def entry_row(entry: TraceEntry, number: int, *, nobody: bool = False) -> Row:
    """Write one row of a time line; `number` tells apart what is alike, `nobody` is of an event that met nobody."""
    key = f"{entry.at} {entry.kind} {entry.stream or entry.digest} {entry.pod_name} {number}"
    where = entry.pod_name or (counted(entry.pods, "pod") if entry.pods else "")
    return [
        key,
        entry.at,
        entry.action if entry.kind is Kind.EVENT else entry.kind.value,
        sentence(entry, nobody=nobody),
        where,
    ]


def sentence(entry: TraceEntry, *, nobody: bool = False) -> str:
    """Say what an entry tells, and of an event whether it met nobody."""
    match entry.kind:
        case Kind.OPENED:
            return _opened(entry)
        case Kind.REPLAYED:
            return f"{counted(entry.count, 'event')} of before to be written."
        case Kind.GAP:
            return f"Told that events may be missing. {GAP_SENTENCES.get(entry.reason, entry.reason)}".rstrip()
        case Kind.REFUSED:
            again = f" {formats.count(entry.count)} times since its last good one." if entry.count > 1 else ""
            return f"Turned away. {_why(entry)}{again}"
        case Kind.EVENT:
            late = " Its deadline has passed." if entry.expired and entry.fate != Fate.EXPIRED else ""
            fate = Fate.UNCLAIMED if nobody else entry.fate
            return f"{entry.event_id or 'without an id'}: {FATES.get(fate, fate)}.{late}"
        case Kind.LEFT_OUT:
            return f"{_more(entry)} left out."
        case Kind.UNANSWERED:
            return "Gives no answer."
        case _:
            return _ended(entry)


def _opened(entry: TraceEntry) -> str:
    said = f"From {entry.address or 'an unknown address'}"
    if entry.user_agent:
        said += f", {entry.user_agent}"
    if entry.last_event_id is not None:
        said += f"; it has all until {entry.last_event_id}"
    elif entry.since_seconds is not None:
        said += f"; it asks for the last {formats.duration(entry.since_seconds)}"
    return f"{said}."


def _ended(entry: TraceEntry) -> str:
    lasted = "" if entry.seconds is None else f" After {formats.duration(entry.seconds)}"
    events = "" if entry.events is None or not lasted else f", {counted(entry.events, 'event')}"
    by = f" By {entry.by}." if entry.by else ""
    return f"{_why(entry)}{lasted}{events}{'.' if lasted else ''}{by}".strip()


def _why(entry: TraceEntry) -> str:
    return TOKEN_SENTENCES.get(entry.reason) or CLOSE_SENTENCES.get(entry.reason, entry.reason)


def _at(entry: TraceEntry) -> float:
    return unix_seconds(entry.at) or 0.0


def _more(entry: TraceEntry) -> str:
    if not entry.count:
        return "More entries"
    return f"{formats.count(entry.count)} more {'entry' if entry.count == 1 else 'entries'}"
