from __future__ import annotations

import json
from collections import Counter

import pytest

from streams.history.coverage import Gap, GapReason, Ingress
from streams.history.memory import APART_SECONDS
from streams.history.messages import Replay, digest
from streams.history.progress import CLOCK_DOUBT_SECONDS
from tests.streams.history.histories import (
    CHANNEL,
    JOURNAL,
    SECONDS,
    STARTED,
    after,
    all_heard,
    fill,
    make_history,
    message,
    nothing_known,
    since,
)

# Long enough after the start that no other pod can have been behind by more.
LATER = STARTED + 100


def test_replays_the_events_after_an_id_in_their_order_and_of_no_other_client():
    history = make_history()
    _, second, third = fill(history, "1", "2", "3")
    fill(history, "1", "2", name="b")
    assert after(history, "a", "1", STARTED + 9) == ([second, third], None)
    assert after(history, "a", "3", STARTED + 9) == ([], None)


def test_hands_out_the_message_that_it_was_given_and_no_copy():
    history = make_history()
    _, second = fill(history, "1", "2")
    assert after(history, "a", "1", STARTED + 9)[0][0] is second


def test_the_oldest_event_with_an_id_counts():
    """A double can be told by its id, a loss cannot; it was the last one that counted once."""
    history = make_history()
    _, *others = fill(history, "1", "2", "1", "3")
    assert after(history, "a", "1", STARTED + 9) == (others, None)


@pytest.mark.parametrize(
    "written",
    [
        b'{"clientName": "a", "eventId": "a/1"}',
        rb'{"clientName": "a", "eventId": "a\/1"}',
        rb'{"clientName": "a", "eventId": "\u0061/1"}',
        b'{"clientName": "a", "eventId": "other", "eventId": "a/1"}',
    ],
)
def test_finds_an_id_however_json_writes_it(written: bytes):
    history = make_history()
    history.extend(["a"], [written], STARTED, CHANNEL)
    assert after(history, "a", "a/1", STARTED) == ([], None)
    assert history.has("a", "a/1")


@pytest.mark.parametrize(
    "written",
    [
        b'{"clientName": "a", "eventId": 17}',
        b'{"clientName": "a", "data": {"eventId": "17"}}',
        b'{"clientName": "a", "eventId": "170"}',
        b'{"clientName": "a"}',
    ],
)
def test_takes_nothing_else_for_an_id(written: bytes):
    history = make_history()
    history.extend(["a"], [written], STARTED, CHANNEL)
    messages, gap = after(history, "a", "17", STARTED)
    assert messages == [written]
    assert gap is not None
    assert not history.has("a", "17")
    assert not history.has("b", "17")


def test_an_id_that_is_not_there_may_be_of_the_time_before_the_pod():
    history = make_history()
    messages = fill(history, "1", "2")
    assert after(history, "a", "0", STARTED + 9) == (messages, Gap(GapReason.POD_STARTED, None, STARTED))
    assert after(history, "b", "0", STARTED + 9) == ([], Gap(GapReason.POD_STARTED, None, STARTED))


def test_says_whether_it_knows_an_id():
    history = make_history()
    fill(history, "1")
    assert history.after("a", "1", STARTED, all_heard).known
    assert not history.after("a", "0", STARTED, all_heard).known


def test_an_id_that_is_not_there_has_expired_once_events_expire():
    history = make_history()
    messages = fill(history, "1", now=STARTED + 200)
    now = STARTED + SECONDS
    assert after(history, "a", "0", now - 1)[1] == Gap(GapReason.POD_STARTED, None, STARTED)
    assert after(history, "a", "0", now) == (messages, Gap(GapReason.EXPIRED, None, STARTED))
    assert after(history, "a", "0", now + 5) == (messages, Gap(GapReason.EXPIRED, None, STARTED + 5))


def test_an_id_that_is_not_there_has_expired_once_the_client_lost_an_event():
    history = make_history(per_client=2)
    _, second, third = fill(history, "1", "2", "3")
    assert after(history, "a", "1", STARTED + 9) == ([second, third], Gap(GapReason.EXPIRED, None, STARTED))
    assert after(history, "b", "1", STARTED + 9)[1] == Gap(GapReason.POD_STARTED, None, STARTED)


@pytest.mark.parametrize("event_id", ["", "é", "a\n", "x" * 129])
def test_what_can_be_no_id_is_unknown(event_id: str):
    history = make_history()
    messages = fill(history, "1")
    assert after(history, "a", event_id, STARTED + 9) == (messages, Gap(GapReason.UNKNOWN_ID, None, STARTED))
    assert not history.may_hold(event_id)
    assert history.may_hold("1")


def test_since_returns_what_arrived_in_the_last_seconds():
    history = make_history()
    _, second, third = fill(history, "1", "2", "3", now=STARTED + 20)
    now = STARTED + 30
    assert since(history, "a", 10, now) == ([second, third], None)
    assert since(history, "a", 0, now) == ([], None)
    assert since(history, "b", 30, now) == ([], None)
    assert since(history, "b", 31, now) == ([], Gap(GapReason.POD_STARTED, STARTED - 1, STARTED))


def test_since_tells_what_has_expired():
    """Of more seconds than are remembered nobody knows where they began; a moment was made up once."""
    history = make_history(per_client=2)
    _, second, third = fill(history, "1", "2", "3", now=STARTED + SECONDS)
    now = STARTED + SECONDS + 10
    assert since(history, "a", 10, now) == ([second, third], None)
    assert since(history, "a", 11, now)[1] == Gap(GapReason.EXPIRED, STARTED + SECONDS - 1, STARTED + SECONDS)
    assert since(history, "b", SECONDS, now)[1] is None
    for seconds in (SECONDS + 5, 1e11, 1e300):
        assert since(history, "b", seconds, now)[1] == Gap(GapReason.EXPIRED, None, STARTED + 10)


def test_a_client_of_which_nothing_is_left_may_have_lost_what_others_lost():
    history = make_history(max_bytes=1000)
    for number in range(10):
        fill(history, str(number), name=f"n{number}", now=STARTED + number)
    forgotten_at = history.statistics().complete_since
    assert STARTED < forgotten_at < STARTED + 9
    assert after(history, "n0", "0", STARTED + 9) == ([], Gap(GapReason.EXPIRED, None, forgotten_at))
    fill(history, "10", name="n0", now=STARTED + 10)
    assert since(history, "n0", 99, STARTED + 10)[1] == Gap(GapReason.EXPIRED, STARTED - 89, forgotten_at)


def test_a_client_knows_which_of_its_events_went_for_the_bytes_of_others():
    history = make_history(max_bytes=3000)
    _, second = fill(history, "1", "2")
    history.extend(["b"], [message("1", padding=2200)], STARTED + 2, CHANNEL)
    now = STARTED + 3
    assert after(history, "a", "1", now) == ([second], Gap(GapReason.EXPIRED, None, STARTED))
    assert since(history, "a", 2.5, now) == ([second], None)


def test_shows_the_latest_events_of_a_client():
    history = make_history(per_client=3)
    *_, third, fourth = fill(history, "1", "2", "3", "4")
    assert history.events_of("a", 2) == [(STARTED + 2, third), (STARTED + 3, fourth)]
    assert len(history.events_of("a", 100)) == 3
    assert history.events_of("a", 0) == history.events_of("b", 9) == []


def test_a_quiet_client_has_missed_nothing_however_long_ago_its_last_event_was():
    history = make_history(seconds=10, max_bytes=2**20, per_client=3)
    fill(history, "1", now=LATER)
    assert after(history, "a", "1", LATER + 500) == ([], None)
    assert after(history, "a", "0", LATER + 500)[1] is not None
    # What came since is all there, until some of that is forgotten too.
    late = fill(history, "2", "3", now=LATER + 501)
    assert after(history, "a", "1", LATER + 503) == (late, None)
    fill(history, "4", "5", now=LATER + 504)
    assert after(history, "a", "1", LATER + 506)[1] is not None


def test_a_position_is_one_for_each_ingress():
    history = make_history()
    fill(history, "p", now=STARTED + 50)
    (j,) = fill(history, "j", now=STARTED + 51, ingress=JOURNAL)
    (q,) = fill(history, "q", now=STARTED + 52)
    behind = history.after("a", "q", STARTED + 60, lambda *_: STARTED + 50.5)
    assert behind == Replay([j], None, 1, doubtful=(0,), apart_seconds=1.5)
    assert history.after("a", "q", STARTED + 60, all_heard) == Replay([], None, first=3)
    assert history.after("a", "j", STARTED + 60, all_heard) == Replay([q], None, first=2, doubtful=(0,))


def test_an_id_that_came_by_both_ingresses_points_at_both():
    history = make_history()
    (p,) = fill(history, "p", now=STARTED + 50)
    first, q = fill(history, "twice", "q", now=STARTED + 51)
    (twin,) = fill(history, "twice", now=STARTED + 53, ingress=JOURNAL)
    assert history.after("a", "twice", STARTED + 60, lambda *_: STARTED + 49).messages == [p, first, q, twin]
    assert after(history, "a", "twice", STARTED + 60) == ([q, twin], None)


def test_an_id_that_occurs_twice_hides_nothing():
    """a, b, a: a publisher had no answer and sent again; whoever read the first a gets b."""
    history = make_history()
    _, b, a = fill(history, "a", "b", "a")
    assert after(history, "a", "a", STARTED + 9) == ([b, a], None)


def test_says_what_was_written_before_an_event_in_this_pods_order():
    history = make_history()
    (p,) = fill(history, "p", now=STARTED + 50)
    (j,) = fill(history, "j", now=STARTED + 51, ingress=JOURNAL)
    fill(history, "q", now=STARTED + 52)
    assert history.written_before("a", "q", 0, 3) == (2, Counter([digest(p), digest(j)]))
    assert history.written_before("a", "q", 2, 3) == (2, Counter([digest(p), digest(j)]))
    assert history.written_before("a", "p", 0, 3) == (0, Counter())
    assert history.written_before("a", "q", 0, 2) is None
    assert history.written_before("a", "p", 1, 3) is None
    assert history.written_before("b", "p", 0, 3) is None
    fill(history, "late", now=STARTED + 52 + APART_SECONDS)
    place, had = history.written_before("a", "late", 0, 9) or (None, Counter())
    assert (place, had) == (3, Counter()), "what is far apart has one order everywhere"


def test_what_other_pods_know_of_an_event_counts_where_this_one_knows_less():
    history = make_history()
    fill(history, "j", now=STARTED + 51, ingress=JOURNAL)
    fill(history, "q", now=STARTED + 52)
    marks = (STARTED + 52, STARTED + 51.5)
    replay = history.after("a", "q", STARTED + 60, nothing_known, marks=marks)
    assert (replay.messages, replay.apart_seconds) == ([], 0.5)
    replay = history.after("a", "q", STARTED + 60, all_heard, marks=(STARTED, STARTED))
    assert (replay.messages, replay.apart_seconds) == ([], 0.0), "what is known here holds"


def test_what_other_pods_know_of_an_id_says_nothing_where_it_occurs_twice():
    """They may know one of the two events alone."""
    history = make_history()
    (j,) = fill(history, "j", now=STARTED + 51, ingress=JOURNAL)
    (_, again) = fill(history, "q", "q", now=STARTED + 52)
    marks = (STARTED + 53, STARTED + 53)
    replay = history.after("a", "q", STARTED + 60, lambda *_: STARTED + 50, marks=marks)
    assert replay.messages == [j, again]


def test_after_an_event_that_is_not_there_comes_what_was_published_since():
    history = make_history()
    fill(history, "c1", "c2", now=STARTED + 50)
    fill(history, "j1", "j2", now=STARTED + 50.5, ingress=JOURNAL)
    replay = history.after_unheard("a", (STARTED + 50, STARTED + 51), STARTED + 60)
    assert [json.loads(each)["eventId"] for each in replay.messages] == ["c2", "j2"]
    assert (replay.gap, replay.known, replay.doubtful) == (None, False, (0, 1))
    history.coverage[CHANNEL].miss(STARTED + 49, STARTED + 52)
    replay = history.after_unheard("a", (STARTED + 50, STARTED + 51), STARTED + 60)
    assert replay.gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 50, STARTED + 52)
    replay = history.after_unheard("a", (STARTED - 9, STARTED + 51), STARTED + 52)
    assert replay.gap == Gap(GapReason.REDIS_OUTAGE, STARTED - 9, STARTED + 52)
    started = make_history().after_unheard("a", (STARTED - 9, STARTED - 9), STARTED + 1)
    assert started.gap == Gap(GapReason.POD_STARTED, None, STARTED)
    history.journal_unsure.note(STARTED + 50, STARTED + 51)
    replay = history.after_unheard("a", (STARTED + 52, STARTED + 51), STARTED + 60)
    assert [json.loads(each)["eventId"] for each in replay.messages] == ["j1", "j2"], "it may be of any time in that"


def test_marks_of_an_event_are_one_for_each_ingress():
    history = make_history()
    fill(history, "c", now=STARTED + 50)
    fill(history, "j", now=STARTED + 51, ingress=JOURNAL)

    def heard(_ingress: Ingress, _place: int, moment: float) -> float:
        return moment - 3

    def proved(_place: int, moment: float) -> float:
        return moment - 0.5

    assert history.marks_of("a", "c", heard, proved) == (STARTED + 49.5, STARTED + 47)
    assert history.marks_of("a", "j", heard, proved) == (STARTED + 48, STARTED + 51 - CLOCK_DOUBT_SECONDS)
    assert history.marks_of("a", "x", heard, proved) is None
    assert history.marks_of("b", "c", heard, proved) is None


# What a client was given before


def test_with_id_finds_every_event_with_an_id_and_its_place():
    history = make_history()
    first, other, again = fill(history, "1", "2", "1")
    mention = b'{"clientName":"a","eventId":"3","data":{"eventId":"1"}}'
    escaped = rb'{"clientName":"a","eventId":"\u0031"}'
    history.extend(["a", "a"], [mention, escaped], STARTED + 3, CHANNEL)
    assert history.with_id("a", "1") == [(0, first), (2, again), (4, escaped)]
    assert history.with_id("a", "2") == [(1, other)]
    assert history.with_id("a", "4") == history.with_id("b", "1") == []


def test_ids_of_a_client_are_those_that_are_text():
    history = make_history()
    fill(history, "1", "2", "1")
    history.extend(["a", "a"], [b'{"clientName":"a","eventId":5}', b'{"clientName":"a"}'], STARTED + 3, CHANNEL)
    assert history.ids_of("a") == ["1", "2", "1"]
    assert history.ids_of("b") == []


def test_moment_of_a_message_is_that_of_its_last_copy():
    history = make_history()
    first, _, _ = fill(history, "1", "2", "1")
    assert history.moment_of("a", first) == STARTED + 2
    assert history.moment_of("a", b"unknown") is None
    assert history.moment_of("b", first) is None
