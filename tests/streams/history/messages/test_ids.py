"""Which events an id names, and what another pod knows of them."""

from __future__ import annotations

import pytest

from streams.history.coverage import Gap, GapReason
from tests.streams.builders import JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import SECONDS, after, all_heard, fill, make_history, nothing_known


def test_the_oldest_event_with_an_id_counts():
    """A double can be told by its id, a loss cannot; it was the last one that counted once."""
    history = make_history()
    _, *others = fill(history, "1", "2", "1", "3")
    assert after(history, "a", "1", STARTED + 9) == (others, None)


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
