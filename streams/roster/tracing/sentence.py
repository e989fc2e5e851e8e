"""How a trace ends, in one sentence for a person; pure."""

from __future__ import annotations

from streams.delivery.observing.observer import Fate
from streams.roster.tracing.entries import ENDS, Kind, TraceEntry
from streams.roster.tracing.merging import open_streams

TAKEN = (Fate.WRITTEN, Fate.REPLAYED)


def closing_sentence(entries: list[TraceEntry], now: str) -> str:
    """Say how it is with a client, by its trace, oldest first; `now` is ISO 8601 as the entries' times are."""
    silent = [entry for entry in entries if entry.kind is Kind.UNANSWERED]
    ends = [entry for entry in entries if entry.kind in ENDS and entry.stream]
    streams = open_streams(entries)
    parts: list[str] = []
    if streams:
        last = streams[-1]
        unsure = any(entry.stream == last.stream for entry in silent)
        since = shown(last.at, now)
        if unsure:
            parts.append(f"last known to be connected to {last.pod_name} since {since}, which does not answer")
        else:
            parts.append(f"connected since {since} on {last.pod_name}")
        parts += since_then(entries, last.at, Fate.WRITTEN)
        silent = [entry for entry in silent if entry.stream != last.stream]
    elif ends:
        last = ends[-1]
        if last.reason:
            parts.append(f"offline since {shown(last.at, now)}; last end: {last.reason} on {last.pod_name}")
        else:
            parts.append(f"offline; when it left {last.pod_name} was not recorded")
        parts += since_then(entries, last.at, Fate.EXPIRED)
    else:
        parts.append("no stream is known of the last 24 hours")
        parts += since_then(entries, "", Fate.EXPIRED)
    parts += turned_away(entries, now)
    parts += [f"{entry.pod_name} did not answer" for entry in silent]
    return "; ".join(parts)


def since_then(entries: list[TraceEntry], since: str, fate: Fate) -> list[str]:
    """Count the events since a moment, and those among them that were written, or that expired."""
    events = [entry for entry in entries if entry.kind is Kind.EVENT and entry.at >= since]
    every = {entry.digest for entry in events}
    if not every:
        return ["no event since"] if since else []
    taken = {entry.digest for entry in events if entry.fate in TAKEN}
    over = {entry.digest for entry in events if entry.expired or entry.fate == Fate.EXPIRED} - taken
    count, word = (len(over), "expired") if fate is Fate.EXPIRED else (len(taken), "written")
    said = f"{len(every)} event{'s' if len(every) > 1 else ''}" + (" since" if since else "")
    if any(entry.kind is Kind.LEFT_OUT and entry.fate and entry.at >= since for entry in entries):
        said = f"at least {said}"
    return [f"{said}, {count or 'none'} of them {word}"]


def turned_away(entries: list[TraceEntry], now: str) -> list[str]:
    """Say that the client was sent away as it came, where that is the last that was heard of it."""
    came = [entry for entry in entries if entry.kind in (Kind.OPENED, Kind.REFUSED) or entry.kind in ENDS]
    if not came or (came[-1].stream and came[-1].kind is not Kind.REFUSED):
        return []
    last = came[-1]
    return [f"turned away at {shown(last.at, now)} by {last.pod_name} ({last.reason})"]


def shown(at: str, now: str) -> str:
    """Write a time as short as a person reads it: without the day where it is today's."""
    day, _, time = at.partition("T")
    return time[:8] if now.startswith(day) else f"{day} {time[:8]}"
