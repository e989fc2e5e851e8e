"""What a client is sent that comes back, and what it is told that it may have lost."""

from __future__ import annotations

import json

from streams.history.coverage import Gap, GapReason, Ingress
from streams.history.progress import CLOCK_DOUBT_SECONDS
from streams.history.replays import Replay
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import LATER, SECONDS, after, all_heard, fill, make_history, message, since


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

    def heard(_ingress: Ingress, _place: int | None, moment: float) -> float:
        return moment - 3

    def proved(_place: int, moment: float) -> float:
        return moment - 0.5

    assert history.marks_of("a", "c", heard, proved) == (STARTED + 49.5, STARTED + 47)
    assert history.marks_of("a", "j", heard, proved) == (STARTED + 48, STARTED + 51 - CLOCK_DOUBT_SECONDS)
    assert history.marks_of("a", "x", heard, proved) is None
    assert history.marks_of("b", "c", heard, proved) is None
