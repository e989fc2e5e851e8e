"""What the recorder notes of clients, and how little of those that come and go all the time."""

from __future__ import annotations

import pytest

from streams.delivery.connection import Connection, Resume
from streams.delivery.observing.observer import Fate
from streams.errors import CloseReason
from streams.history.coverage import Gap, GapReason
from streams.roster.tracing import recorder as module
from streams.roster.tracing.entries import MAX_TEXT_CHARACTERS, Kind, TraceEntry
from streams.roster.tracing.recorder import EVENTS_A_SECOND, KEPT_A_MINUTE, LOCKED_OUT_A_SECOND, MAX_TRACED, Recorder
from streams.wire.timestamps import iso
from tests.streams.builders import Recorder as Writer
from tests.streams.builders import message
from tests.streams.clocks import STARTED, HandClock

AHEAD = 1_700_000_000.0
LIFE = "0123456789abcdef"


@pytest.fixture
def recorder(hands: HandClock) -> Recorder:
    return Recorder("pod-1", LIFE, 50, hands.clock)


def connection(hands: HandClock, name: str = "a", number: int = 1, resume: Resume | None = None) -> Connection:
    made = Connection(name, Writer(), "10.0.0.1:5000", resume, "till/7", hands.clock)
    made.number = number
    return made


def taken(recorder: Recorder) -> list[TraceEntry]:
    return [noted.entry for noted in recorder.take(1000, AHEAD)]


def test_recorder_notes_how_a_stream_opened(recorder: Recorder, hands: HandClock):
    recorder.opened(connection(hands))
    recorder.opened(connection(hands, number=2, resume=Resume("evt-1", None)))
    recorder.opened(connection(hands, number=3, resume=Resume(None, 60.0)))
    plain, by_id, by_age = taken(recorder)
    assert plain == TraceEntry(
        Kind.OPENED, "pod-1", iso(AHEAD + STARTED), "01234567.1", address="10.0.0.1:5000", user_agent="till/7"
    )
    assert (by_id.last_event_id, by_id.since_seconds) == ("evt-1", None)
    assert (by_age.last_event_id, by_age.since_seconds) == (None, 60.0)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (CloseReason.CLIENT_CLOSED, Kind.CLOSED),
        (CloseReason.DRAINING, Kind.CLOSED),
        (CloseReason.EVICTED, Kind.EVICTED),
        (CloseReason.DUEL, Kind.DUEL),
    ],
)
def test_recorder_notes_how_a_stream_ended(recorder: Recorder, hands: HandClock, reason: CloseReason, kind: Kind):
    opened = connection(hands)
    opened.close_reason, opened.event_count, opened.bytes_written, opened.evicted_by = reason, 3, 400, "pod-2"
    hands.turn(1.25)
    recorder.closed(opened)
    assert taken(recorder) == [
        TraceEntry(
            kind,
            "pod-1",
            iso(AHEAD + STARTED + 1.25),
            "01234567.1",
            reason=reason,
            seconds=1.2,
            events=3,
            bytes=400,
            by="pod-2",
        )
    ]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (CloseReason.OVERLOADED, Kind.REFUSED),
        (CloseReason.DRAINING, Kind.REFUSED),
        (CloseReason.SERVER_STOPPED, Kind.REFUSED),
        (CloseReason.DUEL, Kind.DUEL),
        (CloseReason.CLIENT_CLOSED, Kind.CLOSED),
    ],
)
def test_recorder_notes_who_was_never_taken_in(recorder: Recorder, hands: HandClock, reason: CloseReason, kind: Kind):
    recorder.refused(connection(hands), reason)
    (entry,) = taken(recorder)
    assert (entry.kind, entry.stream, entry.reason, entry.address) == (kind, "", reason, "10.0.0.1:5000")


def test_recorder_notes_a_lane_that_hammers_ever_more_seldom(recorder: Recorder, hands: HandClock):
    """Otherwise an hour of a device with an old token would take the place of all else that is kept of it."""
    for times in range(1, 1001):
        hands.turn(1)
        recorder.look()
        recorder.locked_out("a", "invalid", times, "10.0.0.1:5000", "till/7" * 100)
    noted = recorder.take(1000, AHEAD)
    assert [each.entry.count for each in noted] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert all(each.of_known for each in noted)
    assert noted[0].entry == TraceEntry(
        Kind.REFUSED,
        "pod-1",
        iso(AHEAD + STARTED + 1),
        reason="token-invalid",
        count=1,
        address="10.0.0.1:5000",
        user_agent=("till/7" * 100)[:MAX_TEXT_CHARACTERS],
    )


def test_recorder_notes_so_many_names_a_second_that_a_stranger_makes_up(recorder: Recorder, hands: HandClock):
    for _second in range(2):
        recorder.look()
        for number in range(1000):
            recorder.locked_out(f"made-up-{number}", "none", 1, "", "")
        hands.turn(1)
    recorder.look()
    assert recorder.waiting == 2 * LOCKED_OUT_A_SECOND


def test_recorder_notes_an_expired_token_where_the_lock_tells_of_it(recorder: Recorder, hands: HandClock):
    recorder.refused(connection(hands), CloseReason.TOKEN_EXPIRED)
    assert taken(recorder) == []
    nothing_kept = Recorder("pod-1", LIFE, 0, hands.clock)
    nothing_kept.locked_out("a", "expired", 1, "", "")
    assert taken(nothing_kept) == []


def test_recorder_notes_what_was_told_and_replayed_by_redis_clock(recorder: Recorder, hands: HandClock):
    opened = connection(hands)
    recorder.told(opened, Gap(GapReason.EXPIRED, None, STARTED - 10))
    recorder.told(opened, Gap(GapReason.REDIS_OUTAGE, STARTED - 20, STARTED - 10))
    recorder.replayed(opened, 7)
    unknown, outage, replayed = taken(recorder)
    assert (unknown.kind, unknown.reason, unknown.gap_from) == (Kind.GAP, "expired", None)
    assert (outage.gap_from, outage.gap_to) == (iso(AHEAD + STARTED - 20), iso(AHEAD + STARTED - 10))
    assert (replayed.kind, replayed.count, replayed.stream) == (Kind.REPLAYED, 7, "01234567.1")


def test_recorder_notes_no_transition_where_none_is_kept(hands: HandClock):
    recorder = Recorder("pod-1", LIFE, 0, hands.clock)
    opened = connection(hands)
    recorder.opened(opened)
    recorder.closed(opened)
    recorder.trace({"a": 60.0})
    recorder.handled("a", message("a", "1"), Fate.WRITTEN)
    assert [entry.kind for entry in taken(recorder)] == [Kind.EVENT]


def test_recorder_writes_little_of_a_client_that_flaps(recorder: Recorder, hands: HandClock):
    recorder.look()
    for number in range(100):
        opened = connection(hands, "flaps", number)
        recorder.opened(opened)
        recorder.closed(opened)
    recorder.opened(connection(hands, "calm"))
    kinds = [entry.kind for entry in taken(recorder)]
    assert kinds == [Kind.OPENED, Kind.CLOSED] * (KEPT_A_MINUTE // 2) + [Kind.OPENED]
    hands.turn(59)
    recorder.look()
    assert taken(recorder) == []
    hands.turn(1)
    recorder.look()
    (left_out,) = recorder.take(10, AHEAD)
    assert left_out.client_name == "flaps"
    assert (left_out.entry.kind, left_out.entry.count) == (Kind.LEFT_OUT, 200 - KEPT_A_MINUTE)
    assert left_out.entry.fate == ""
    recorder.opened(connection(hands, "flaps"))
    assert len(taken(recorder)) == 1


def test_recorder_cuts_texts_from_outside(recorder: Recorder, hands: HandClock):
    long = Connection("a", Writer(), "10.0.0.1:5000", Resume("e" * 5000, None), "u" * 5000, hands.clock)
    recorder.opened(long)
    recorder.refused(long, CloseReason.OVERLOADED)
    for entry in taken(recorder):
        assert len(entry.user_agent) == 120
        assert len(entry.last_event_id or "") in (0, 128)


def test_recorder_keeps_the_newest_while_redis_is_away(
    recorder: Recorder, hands: HandClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    for number in range(5):
        recorder.opened(connection(hands, f"c{number}"))
    assert recorder.lost == 2
    batch = recorder.take(2, AHEAD)
    assert [noted.client_name for noted in batch] == ["c2", "c3"]
    recorder.opened(connection(hands, "c5"))
    recorder.failed(batch)
    assert recorder.lost == 3
    again = recorder.take(10, AHEAD + 1)
    assert [noted.client_name for noted in again] == ["c3", "c4", "c5"]
    # What Redis may have taken is the same when it is written once more.
    assert again[0].entry.at == iso(AHEAD + STARTED)
    assert again[1].entry.at == iso(AHEAD + 1 + STARTED)


def test_recorder_says_once_that_something_is_due(recorder: Recorder, hands: HandClock):
    due: list[int] = []
    recorder.on_due = lambda: due.append(1)
    recorder.opened(connection(hands))
    recorder.opened(connection(hands, "b"))
    assert due == [1]
    recorder.take(10, AHEAD)
    recorder.opened(connection(hands, "c"))
    assert due == [1, 1]


def test_recorder_notes_what_became_of_an_event_and_never_its_data(recorder: Recorder, hands: HandClock):
    recorder.handled("a", message("a", "evt-1", action="payment", data={"card": "secret"}), Fate.WRITTEN)
    ((name, _, entry, *_),) = recorder.take(1, AHEAD)
    assert (name, entry.kind, entry.event_id, entry.action, entry.fate) == (
        "a",
        Kind.EVENT,
        "evt-1",
        "payment",
        "written",
    )
    assert len(entry.digest) == 16
    assert "secret" not in repr(entry)


def test_recorder_takes_a_sample_of_events_and_says_so(recorder: Recorder, hands: HandClock):
    recorder.look()
    for number in range(200):
        recorder.handled("a", message("a", str(number)), Fate.WRITTEN)
        recorder.handled("a", message("a", str(number)), Fate.UNCLAIMED)
    assert len(taken(recorder)) == 2 * EVENTS_A_SECOND
    hands.turn(1)
    recorder.look()
    written, unclaimed = taken(recorder)
    assert (written.kind, written.count, written.fate) == (Kind.LEFT_OUT, 150, "of its stream")
    assert (unclaimed.count, unclaimed.fate) == (150, "unclaimed")


@pytest.mark.parametrize(("pods", "noted"), [(0, 50), (1, 50), (10, 5), (500, 1)])
def test_recorder_notes_less_of_what_all_pods_have(recorder: Recorder, pods: int, noted: int):
    recorder.share_with(pods)
    for number in range(60):
        recorder.handled("a", message("a", str(number)), Fate.UNCLAIMED)
    assert len(taken(recorder)) == noted


def test_recorder_traces_clients_until_their_time_is_over(recorder: Recorder, hands: HandClock):
    recorder.trace({"a": 60.0, "b": 10.0, "over": 0.0})
    assert recorder.traced == {"a", "b"}
    hands.turn(9)
    recorder.look()
    assert recorder.traced == {"a", "b"}
    hands.turn(1)
    recorder.look()
    assert recorder.traced == {"a"}
    recorder.trace_too("c", 100.0)
    assert recorder.traced == {"a", "c"}
    hands.turn(50)
    recorder.look()
    assert recorder.traced == {"c"}
    recorder.trace_too("c", 0.0)
    assert recorder.traced == frozenset()


def test_recorder_traces_so_many_clients_at_most(recorder: Recorder):
    recorder.trace({f"c{number}": 60.0 for number in range(50)})
    assert len(recorder.traced) == MAX_TRACED
    recorder.trace_too("new", 60.0)
    assert len(recorder.traced) == MAX_TRACED
    assert "new" in recorder.traced
