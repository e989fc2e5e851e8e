"""One time line of what Redis has of a client and what the pods answer; pure.

Times are ISO 8601 with milliseconds in UTC, so that their order is that of the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from streams.delivery.observing.observer import Fate
from streams.roster.tracing.entries import ENDS, REMEMBERED, Kind, TraceEntry, encode
from streams.roster.tracing.questions import Answered, Remembered

# What says that a pod had an open stream when the event came.
HAD_A_STREAM = (Fate.WRITTEN, Fate.WAITING, Fate.REPEATED, Fate.CUT)
# What every pod may say of one event, for want of a stream of its client.
SAID_BY_ALL = (Fate.UNCLAIMED, Fate.EXPIRED)


def merged(
    noted: Iterable[TraceEntry], answers: Mapping[str, Answered], asked: Mapping[str, str], *, now: str, since: str
) -> list[TraceEntry]:
    """Return the trace of a client since a moment, oldest first, and what it was before that.

    `noted` is in the order in which Redis has it. `answers` are by the lives of the pods, `asked` has the names
    of all pods that should have answered by theirs.
    """
    distinct = list({encode(entry): entry for entry in noted}.values())
    entries = [entry for entry in distinct if entry.kind is not Kind.EVENT]
    entries += unrecorded(entries, answers, now)
    entries += unanswered(entries, answers, asked, now)
    entries += events((entry for entry in distinct if entry.kind is Kind.EVENT), answers)
    return within(sorted(entries, key=lambda entry: entry.at), since)


def open_streams(entries: Iterable[TraceEntry]) -> list[TraceEntry]:
    """Return the beginnings of streams whose end is not known, in their order."""
    opened: dict[str, TraceEntry] = {}
    ended: set[str] = set()
    for entry in entries:
        if entry.kind is Kind.OPENED:
            opened[entry.stream] = entry
        elif entry.kind in ENDS:
            ended.add(entry.stream)
    return [entry for stream, entry in opened.items() if stream not in ended]


def unrecorded(entries: list[TraceEntry], answers: Mapping[str, Answered], now: str) -> Iterator[TraceEntry]:
    """Give what the pods know of their streams and Redis does not: that one is open, or is not any more."""
    recorded = {entry.stream for entry in entries if entry.kind is Kind.OPENED or entry.kind in ENDS}
    for pod_name, answer in answers.values():
        if answer.stream and answer.stream not in recorded:
            yield TraceEntry(
                Kind.OPENED,
                pod_name,
                answer.opened_at,
                answer.stream,
                address=answer.address,
                user_agent=answer.user_agent,
            )
    by_life = {life[:8]: answer for life, (_, answer) in answers.items()}
    for entry in open_streams(entries):
        found = by_life.get(life_of(entry))
        if found is not None and found.stream != entry.stream and entry.at < found.at:
            yield TraceEntry(Kind.CLOSED, entry.pod_name, now, entry.stream)


def unanswered(
    entries: list[TraceEntry], answers: Mapping[str, Answered], asked: Mapping[str, str], now: str
) -> Iterator[TraceEntry]:
    """Give the pods that did not answer, and those with an open stream that are not there to be asked."""
    silent = {life[:8]: TraceEntry(Kind.UNANSWERED, name, now) for life, name in asked.items() if life not in answers}
    heard = {life[:8] for life in answers}
    for entry in open_streams(entries):
        if (life := life_of(entry)) not in heard:
            silent[life] = TraceEntry(Kind.UNANSWERED, entry.pod_name, now, entry.stream)
    yield from sorted(silent.values(), key=lambda entry: entry.pod_name)


def life_of(entry: TraceEntry) -> str:
    """Return the beginning of the life of the pod whose stream it is."""
    return entry.stream.partition(".")[0]


def events(noted: Iterable[TraceEntry], answers: Mapping[str, Answered]) -> Iterator[TraceEntry]:
    """Give what is known of each event: all that was done with it, and one entry for what is said of it by many."""
    done: list[TraceEntry] = []
    shared: dict[tuple[str, str], TraceEntry] = {}
    pods: dict[tuple[str, str], set[str]] = {}

    def share(entry: TraceEntry, pod_name: str) -> None:
        key = (entry.digest, Fate.EXPIRED if entry.fate == Fate.EXPIRED else REMEMBERED)
        pods.setdefault(key, set()).add(pod_name)
        if (before := shared.setdefault(key, entry)) is not entry:
            before.at, before.expired = min(before.at, entry.at), before.expired or entry.expired

    for entry in noted:
        if entry.fate in SAID_BY_ALL:
            share(entry, entry.pod_name)
        else:
            done.append(entry)
    known = {(entry.digest, entry.pod_name) for entry in done}
    for _, (pod_name, answer) in sorted(answers.items()):
        for event in answer.events:
            if event.fate == REMEMBERED:
                share(entry_of(event, ""), pod_name)
            elif (event.digest, pod_name) not in known:
                entry = entry_of(event, pod_name)
                # When it was replayed is not known, but that it was not before.
                entry.at = max(event.at, answer.opened_at)
                done.append(entry)
        if answer.left_out and answer.events:
            yield TraceEntry(Kind.LEFT_OUT, pod_name, answer.events[0].at, count=answer.left_out, fate=REMEMBERED)
    yield from done
    had_a_stream = {entry.digest for entry in done if entry.fate in HAD_A_STREAM}
    for key, entry in shared.items():
        if entry.fate == Fate.EXPIRED or entry.digest not in had_a_stream:
            entry.pod_name, entry.pods = "", len(pods[key])
            yield entry


def entry_of(event: Remembered, pod_name: str) -> TraceEntry:
    """Return what a pod remembers as an entry."""
    return TraceEntry(
        Kind.EVENT,
        pod_name,
        event.at,
        event_id=event.event_id,
        action=event.action,
        fate=event.fate,
        expired=event.expired,
        digest=event.digest,
    )


def within(entries: list[TraceEntry], since: str) -> list[TraceEntry]:
    """Return the entries since a moment, and what of those before says how it was then."""
    before = [entry for entry in entries if entry.at < since and (entry.kind is Kind.OPENED or entry.kind in ENDS)]
    still_open = [id(entry) for entry in open_streams(entries)]
    kept = [entry for entry in before if entry is before[-1] or id(entry) in still_open]
    return kept + [entry for entry in entries if entry.at >= since]
