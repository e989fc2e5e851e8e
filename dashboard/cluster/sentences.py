"""What a client's trace tells, an entry at a time, in words; pure."""

from __future__ import annotations

from dashboard.cluster.words import CLOSE_SENTENCES, counted
from dashboard.content import formats
from dashboard.content.pages import Row
from streams.delivery.observing.observer import Fate
from streams.history.coverage import GapReason
from streams.roster.tracing.entries import REMEMBERED, Kind, TraceEntry

GAP_SENTENCES = {reason.value: reason.sentence for reason in GapReason}
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


def entry_row(entry: TraceEntry, number: int) -> Row:
    """Write one row of a time line; `number` tells apart what is alike."""
    key = f"{entry.at} {entry.kind} {entry.stream or entry.digest} {entry.pod_name} {number}"
    where = entry.pod_name or (counted(entry.pods, "pod") if entry.pods else "")
    return [key, entry.at, entry.action if entry.kind is Kind.EVENT else entry.kind.value, sentence(entry), where]


def sentence(entry: TraceEntry) -> str:
    """Say what an entry tells."""
    match entry.kind:
        case Kind.OPENED:
            return _opened(entry)
        case Kind.REPLAYED:
            return f"{counted(entry.count, 'event')} of before to be written."
        case Kind.GAP:
            return f"Told that events may be missing. {GAP_SENTENCES.get(entry.reason, entry.reason)}".rstrip()
        case Kind.REFUSED:
            return f"Turned away. {_why(entry)}"
        case Kind.EVENT:
            late = " Its deadline has passed." if entry.expired and entry.fate != Fate.EXPIRED else ""
            return f"{entry.event_id or 'without an id'}: {FATES.get(entry.fate, entry.fate)}.{late}"
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
    return CLOSE_SENTENCES.get(entry.reason, entry.reason)


def _more(entry: TraceEntry) -> str:
    if not entry.count:
        return "More entries"
    return f"{formats.count(entry.count)} more {'entry' if entry.count == 1 else 'entries'}"
