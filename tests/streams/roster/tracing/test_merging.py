"""One time line of what Redis has of a client and what the pods answer."""

from __future__ import annotations

from streams.roster.tracing.entries import Kind, TraceEntry
from streams.roster.tracing.merging import merged
from streams.roster.tracing.questions import Answer, Answered, Remembered

ONE, TWO = "1111111111111111", "2222222222222222"
PODS = {ONE: "pod-1", TWO: "pod-2"}
NOW = "2026-11-26T14:00:00.000Z"
SINCE = "2026-11-26T13:00:00.000Z"


def at(minute: int, second: int = 0) -> str:
    return f"2026-11-26T13:{minute:02d}:{second:02d}.000Z"


def opened(minute: int, stream: str = "11111111.1", pod: str = "pod-1") -> TraceEntry:
    return TraceEntry(Kind.OPENED, pod, at(minute), stream)


def closed(minute: int, stream: str = "11111111.1", pod: str = "pod-1", kind: Kind = Kind.CLOSED) -> TraceEntry:
    return TraceEntry(kind, pod, at(minute), stream, reason="client-closed")


def noted(minute: int, number: int, fate: str, pod: str = "pod-1") -> TraceEntry:
    return TraceEntry(
        Kind.EVENT, pod, at(minute), event_id=f"evt-{number}", action="payment", fate=fate, digest=f"d{number}"
    )


def remembered(minute: int, number: int, fate: str = "remembered", expired: bool = False) -> Remembered:
    return Remembered(at(minute), f"evt-{number}", "payment", f"d{number}", fate, expired)


def answered(
    one: Answer | None = None, two: Answer | None = None, *, events: list[Remembered] | None = None
) -> dict[str, Answered]:
    """Both pods answer; by default they have no stream, and remember these events."""
    quiet = Answer(1, NOW, events=events or [])
    return {TWO: Answered("pod-2", two or quiet), ONE: Answered("pod-1", one or quiet)}


def trace(
    entries: list[TraceEntry], answers: dict[str, Answered] | None = None, since: str = SINCE
) -> list[TraceEntry]:
    return merged(entries, answered() if answers is None else answers, PODS, now=NOW, since=since)


def short(entries: list[TraceEntry]) -> list[tuple[str, str, str]]:
    return [(entry.at[14:16], entry.event_id or entry.kind, entry.fate or entry.pod_name) for entry in entries]


def test_merged_is_oldest_first_and_has_nothing_twice():
    entries = [opened(1), closed(5), opened(1), opened(3, "22222222.1", "pod-2"), closed(9, "22222222.1", "pod-2")]
    assert short(trace(entries)) == [
        ("01", "opened", "pod-1"),
        ("03", "opened", "pod-2"),
        ("05", "closed", "pod-1"),
        ("09", "closed", "pod-2"),
    ]


def test_merged_is_the_same_whoever_answered_first():
    def entries() -> list[TraceEntry]:
        return [opened(1), closed(2), noted(3, 1, "unclaimed"), noted(4, 1, "unclaimed", "pod-2")]

    answers = answered(events=[remembered(3, 1), remembered(4, 2)])
    assert trace(entries(), answers) == trace(entries(), dict(reversed(answers.items())))


def test_merged_begins_with_how_it_was_before():
    entries = [opened(1), closed(2), opened(3, "11111111.2"), closed(4, "11111111.2"), opened(50, "11111111.3")]
    entries.append(closed(51, "11111111.3"))
    assert short(trace(entries, since=at(30))) == [
        ("04", "closed", "pod-1"),
        ("50", "opened", "pod-1"),
        ("51", "closed", "pod-1"),
    ]
    moved = [opened(1), opened(2, "22222222.1", "pod-2"), closed(3)]
    answers = answered(two=Answer(1, NOW, "22222222.1", at(2)))
    assert short(trace(moved, answers, since=at(30))) == [("02", "opened", "pod-2"), ("03", "closed", "pod-1")]


def test_merged_has_a_stream_that_only_its_pod_knows():
    answer = Answer(1, NOW, "11111111.7", at(20), "10.0.0.1:5", "till/7")
    (entry,) = trace([], answered(one=answer))
    assert entry == TraceEntry(Kind.OPENED, "pod-1", at(20), "11111111.7", address="10.0.0.1:5", user_agent="till/7")
    assert short(trace([opened(20, "11111111.7")], answered(one=answer))) == [("20", "opened", "pod-1")]
    # It ended after its pod had answered.
    gone = [opened(20, "11111111.7"), closed(21, "11111111.7")]
    assert short(trace(gone, answered(one=answer))) == [("20", "opened", "pod-1"), ("21", "closed", "pod-1")]


def test_merged_says_that_the_end_of_a_stream_was_not_recorded():
    _, end = trace([opened(1)])
    assert (end.kind, end.at, end.stream, end.reason) == (Kind.CLOSED, NOW, "11111111.1", "")
    # One that opened after its pod had answered is there.
    answers = answered(one=Answer(1, at(0)))
    assert short(trace([opened(1)], answers)) == [("01", "opened", "pod-1")]


def test_merged_names_pods_that_did_not_answer():
    only_one = {ONE: answered()[ONE]}
    assert short(trace([], only_one)) == [("00", "unanswered", "pod-2")]
    # With its stream, though the life of its pod is over.
    entries = trace([opened(1, "33333333.1", "pod-3")])
    assert short(entries) == [("01", "opened", "pod-3"), ("00", "unanswered", "pod-3")]
    assert entries[1].stream == "33333333.1"
    assert short(trace([opened(1, "22222222.1", "pod-2")], only_one)) == [
        ("01", "opened", "pod-2"),
        ("00", "unanswered", "pod-2"),
    ]


def test_merged_has_one_entry_for_what_all_pods_remember():
    answers = answered(events=[remembered(1, 1), remembered(2, 2, expired=True)])
    first, second = trace([], answers)
    assert (first.event_id, first.fate, first.pod_name, first.pods, first.expired) == (
        "evt-1",
        "remembered",
        "",
        2,
        False,
    )
    assert (second.event_id, second.pods, second.expired) == ("evt-2", 2, True)


def test_merged_says_written_only_of_what_a_pod_says_it_wrote():
    one = Answer(1, NOW, "11111111.1", at(1), events=[remembered(2, 1, "written"), remembered(0, 2)])
    two = Answer(1, NOW, events=[remembered(2, 1), remembered(0, 2)])
    entries = trace([opened(1)], answered(one, two))
    assert short(entries) == [("00", "evt-2", "remembered"), ("01", "opened", "pod-1"), ("02", "evt-1", "written")]
    assert entries[2].pod_name == "pod-1"


def test_merged_has_an_event_as_it_came_and_as_it_was_replayed():
    one = Answer(1, NOW, "11111111.1", at(5), events=[remembered(2, 1, "replayed")])
    two = Answer(1, NOW, events=[remembered(2, 1)])
    assert short(trace([opened(5)], answered(one, two))) == [
        ("02", "evt-1", "remembered"),
        ("05", "opened", "pod-1"),
        ("05", "evt-1", "replayed"),
    ]


def test_merged_has_nothing_of_an_event_twice_where_it_was_traced():
    one = Answer(1, NOW, "11111111.1", at(1), events=[remembered(2, 1, "written")])
    two = Answer(1, NOW, events=[remembered(2, 1)])
    entries = [opened(1), noted(2, 1, "written"), noted(2, 1, "unclaimed", "pod-2")]
    assert short(trace(entries, answered(one, two))) == [("01", "opened", "pod-1"), ("02", "evt-1", "written")]


def test_merged_counts_the_pods_that_had_no_stream_for_an_event():
    entries = [noted(2, 1, "unclaimed"), noted(2, 1, "unclaimed", "pod-2"), noted(3, 2, "expired"), noted(1, 3, "cut")]
    cut, unclaimed, expired = trace(entries, answered(events=[remembered(2, 1, expired=True)]))
    assert (cut.fate, cut.pod_name) == ("cut", "pod-1")
    assert (unclaimed.fate, unclaimed.pods, unclaimed.expired) == ("unclaimed", 2, True)
    assert (expired.fate, expired.pods) == ("expired", 1)


def test_merged_says_that_pods_remember_more():
    answers = answered(one=Answer(1, NOW, events=[remembered(9, 1)], left_out=5))
    assert short(trace([], answers)) == [("09", "left-out", "remembered"), ("09", "evt-1", "remembered")]
