"""How a trace ends, in one sentence."""

from __future__ import annotations

import pytest

from streams.roster.tracing.entries import Kind, TraceEntry
from streams.roster.tracing.sentence import closing_sentence
from tests.streams.roster.tracing.test_merging import NOW, at, closed, noted, opened


def end(minute: int, reason: str, stream: str = "11111111.1", pod: str = "pod-1") -> TraceEntry:
    return TraceEntry(Kind.CLOSED, pod, at(minute), stream, reason=reason)


def silent(pod: str, stream: str = "") -> TraceEntry:
    return TraceEntry(Kind.UNANSWERED, pod, NOW, stream)


def overdue(minute: int, number: int) -> TraceEntry:
    entry = noted(minute, number, "remembered")
    entry.expired = True
    return entry


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([], "no stream is known of the last 24 hours"),
        (
            [noted(1, 1, "unclaimed"), overdue(2, 2)],
            "no stream is known of the last 24 hours; 2 events, 1 of them expired",
        ),
        (
            [noted(1, 1, "written"), overdue(1, 1)],
            "no stream is known of the last 24 hours; 1 event, none of them expired",
        ),
        ([opened(1)], "connected since 13:01:00 on pod-1; no event since"),
        (
            [
                noted(0, 1, "remembered"),
                opened(1),
                noted(1, 1, "replayed"),
                noted(2, 2, "written"),
                noted(2, 3, "waiting"),
            ],
            "connected since 13:01:00 on pod-1; 3 events since, 2 of them written",
        ),
        (
            [opened(1), opened(2, "22222222.1", "pod-2"), closed(3, kind=Kind.EVICTED)],
            "connected since 13:02:00 on pod-2; no event since",
        ),
        (
            [opened(1), end(2, "dead-peer"), noted(3, 1, "unclaimed"), overdue(4, 2), noted(5, 3, "remembered")],
            "offline since 13:02:00; last end: dead-peer on pod-1; 3 events since, 1 of them expired",
        ),
        (
            [opened(1), noted(1, 9, "written"), end(2, "dead-peer"), noted(3, 1, "expired")],
            "offline since 13:02:00; last end: dead-peer on pod-1; 1 event since, 1 of them expired",
        ),
        (
            [opened(1), end(2, "dead-peer"), noted(3, 1, "remembered")],
            "offline since 13:02:00; last end: dead-peer on pod-1; 1 event since, none of them expired",
        ),
        (
            [opened(1), TraceEntry(Kind.CLOSED, "pod-1", NOW, "11111111.1")],
            "offline; when it left pod-1 was not recorded; no event since",
        ),
        (
            [opened(1), silent("pod-1", "11111111.1"), silent("pod-2")],
            (
                "last known to be connected to pod-1 since 13:01:00, which does not answer; no event since; "
                "pod-2 did not answer"
            ),
        ),
        (
            [opened(1), end(2, "overloaded"), TraceEntry(Kind.REFUSED, "pod-2", at(5), reason="draining")],
            (
                "offline since 13:02:00; last end: overloaded on pod-1; no event since; "
                "turned away at 13:05:00 by pod-2 (draining)"
            ),
        ),
        (
            [opened(1), TraceEntry(Kind.DUEL, "pod-2", at(5), reason="duel")],
            "connected since 13:01:00 on pod-1; no event since; turned away at 13:05:00 by pod-2 (duel)",
        ),
        (
            [opened(1), TraceEntry(Kind.LEFT_OUT, "pod-1", at(2), count=5, fate="unclaimed"), noted(3, 1, "written")],
            "connected since 13:01:00 on pod-1; at least 1 event since, 1 of them written",
        ),
        (
            [opened(1), TraceEntry(Kind.LEFT_OUT, "pod-1", at(2), count=5), noted(3, 1, "written")],
            "connected since 13:01:00 on pod-1; 1 event since, 1 of them written",
        ),
    ],
)
def test_closing_sentence(entries: list[TraceEntry], sentence: str):
    assert closing_sentence(entries, NOW) == sentence


def test_closing_sentence_has_the_day_where_it_is_another():
    assert closing_sentence([opened(1)], "2026-11-27T00:10:00.000Z") == (
        "connected since 2026-11-26 13:01:00 on pod-1; no event since"
    )
