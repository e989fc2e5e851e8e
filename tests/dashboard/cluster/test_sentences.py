from __future__ import annotations

from typing import Any

import pytest

from dashboard.cluster.sentences import entry_row, met_nobody, sentence
from streams.auth.results import Result
from streams.delivery.observing.observer import Fate
from streams.roster.tracing.entries import REMEMBERED, Kind, TraceEntry

AT = "2026-01-02T02:31:09.000Z"


def entry(kind: Kind, **fields: Any) -> TraceEntry:
    return TraceEntry(kind, "pod-2", AT, **fields)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (entry(Kind.OPENED), "From an unknown address."),
        (
            entry(Kind.OPENED, address="10.0.0.1:5000", user_agent="Lane/2.0", last_event_id="evt-1"),
            "From 10.0.0.1:5000, Lane/2.0; it has all until evt-1.",
        ),
        (
            entry(Kind.OPENED, address="10.0.0.1:5000", since_seconds=90.0),
            "From 10.0.0.1:5000; it asks for the last 1 min 30 s.",
        ),
        (entry(Kind.REPLAYED, count=1), "1 event of before to be written."),
        (
            entry(Kind.GAP, reason="redis-outage"),
            "Told that events may be missing. In that time the pod did not hear Redis, or Redis lost what it had.",
        ),
        (
            entry(Kind.CLOSED, reason="dead-peer", seconds=303.2, events=12),
            "The client's machine stopped answering. After 5 min 3 s, 12 events.",
        ),
        (
            entry(Kind.EVICTED, reason="evicted", seconds=5.0, events=1, by="pod-1 10.0.0.9:1"),
            "A newer connection of the same client took its place. After 5 s, 1 event. By pod-1 10.0.0.9:1.",
        ),
        (entry(Kind.CLOSED, reason="of-another-version"), "of-another-version"),
        (
            entry(Kind.REFUSED, reason="overloaded", seconds=0.0),
            "Turned away. The pod had more clients than it may have.",
        ),
        (entry(Kind.REFUSED, reason="token-none", count=1), "Turned away. It brought no token."),
        (
            entry(Kind.REFUSED, reason="token-scope", count=1024),
            "Turned away. Its token is for other clients. 1,024 times since its last good one.",
        ),
        (
            entry(Kind.REFUSED, reason="token-expired", count=2),
            "Turned away. Its token ended, and no new one came. 2 times since its last good one.",
        ),
        (entry(Kind.EVENT, event_id="evt-1", fate=Fate.WRITTEN), "evt-1: written to the client's socket."),
        (
            entry(Kind.EVENT, fate=Fate.UNCLAIMED, expired=True),
            "without an id: nobody was connected. Its deadline has passed.",
        ),
        (entry(Kind.EVENT, event_id="evt-1", fate=Fate.EXPIRED, expired=True), "evt-1: not written: it was too old."),
        (
            entry(Kind.EVENT, event_id="evt-1", fate=REMEMBERED),
            "evt-1: heard; whether the client got it is not recorded.",
        ),
        (entry(Kind.LEFT_OUT, count=1), "1 more entry left out."),
        (entry(Kind.LEFT_OUT, count=1204), "1,204 more entries left out."),
        (entry(Kind.LEFT_OUT), "More entries left out."),
        (entry(Kind.UNANSWERED), "Gives no answer."),
    ],
)
def test_sentence(told: TraceEntry, said: str):
    assert sentence(told) == said


@pytest.mark.parametrize("fate", Fate)
def test_sentence_has_words_for_every_fate(fate: Fate):
    assert f"evt-1: {fate.value}." != sentence(entry(Kind.EVENT, event_id="evt-1", fate=fate))


def test_entry_row():
    ended = entry(Kind.CLOSED, stream="a.1", reason="dead-peer")
    assert entry_row(ended, 3)[1:] == [AT, "closed", "The client's machine stopped answering.", "pod-2"]
    shared = TraceEntry(Kind.EVENT, at=AT, action="payment", event_id="evt-1", fate=REMEMBERED, pods=3)
    assert entry_row(shared, 4)[1:3] == [AT, "payment"]
    assert entry_row(shared, 4)[4] == "3 pods"
    assert entry_row(shared, 4)[0] != entry_row(shared, 5)[0]


def remembered(second: int) -> TraceEntry:
    return TraceEntry(Kind.EVENT, at=at(second), event_id=f"evt-{second}", fate=REMEMBERED)


def at(second: int) -> str:
    return f"2026-01-02T02:31:{second:02}.000Z"


def stream(kind: Kind, second: int, name: str = "a.1") -> TraceEntry:
    return TraceEntry(kind, "pod-2", at(second), stream=name)


def events_that_met_nobody(*entries: TraceEntry) -> list[str]:
    found = met_nobody(entries)
    return [entry.event_id for entry in entries if id(entry) in found]


def test_met_nobody_between_an_end_and_the_next_stream():
    assert events_that_met_nobody(
        remembered(0),
        stream(Kind.OPENED, 1),
        remembered(2),
        stream(Kind.EVICTED, 3),
        remembered(4),
        remembered(5),
        stream(Kind.OPENED, 6, "b.1"),
        remembered(9),
    ) == ["evt-5"], "what pods note at one moment has no order"


def test_met_nobody_while_another_stream_is_open():
    opened = [stream(Kind.OPENED, 1), stream(Kind.OPENED, 2, "b.1"), stream(Kind.CLOSED, 3)]
    assert events_that_met_nobody(*opened, remembered(8)) == []
    assert events_that_met_nobody(*opened, stream(Kind.CLOSED, 4, "b.1"), remembered(8)) == ["evt-8"]


def test_met_nobody_is_not_known_where_something_is_missing():
    ended = [stream(Kind.OPENED, 1), stream(Kind.CLOSED, 3)]
    assert events_that_met_nobody(*ended, TraceEntry(Kind.LEFT_OUT, "pod-2", at(4)), remembered(8)) == []
    assert events_that_met_nobody(*ended, remembered(8), TraceEntry(Kind.UNANSWERED, "pod-2", at(9))) == []


def test_met_nobody_since_the_roster_has_no_connection():
    """Also where nothing is recorded any more, such as on the second day."""
    entries = [remembered(1), remembered(3), remembered(5)]
    assert [entry.event_id for entry in entries if id(entry) in met_nobody(entries, at(3))] == ["evt-5"]
    left_out = [TraceEntry(Kind.LEFT_OUT, "pod-2", at(4)), remembered(8)]
    assert met_nobody(left_out, at(3)) == {id(left_out[1])}
    silent = [remembered(8), TraceEntry(Kind.UNANSWERED, "pod-2", at(9))]
    assert met_nobody(silent, at(3)) == set(), "the pod that is silent may have it by now"


def test_an_event_that_met_nobody_says_so():
    assert entry_row(remembered(5), 1, nobody=True)[3] == "evt-5: nobody was connected."


@pytest.mark.parametrize("result", sorted(set(Result) - {Result.OK}))
def test_sentence_has_words_for_every_refusal(result: Result):
    assert f"token-{result}" not in sentence(entry(Kind.REFUSED, reason=f"token-{result}"))
