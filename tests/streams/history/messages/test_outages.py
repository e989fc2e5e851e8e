"""What a client that comes back is told of the times in which the pod heard nothing, or was not there."""

from __future__ import annotations

from streams.history.coverage import Gap, GapReason
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import SECONDS, after, fill, make_history, since


def test_tells_the_time_in_which_the_pod_did_not_hear_redis():
    history = make_history()
    fill(history, "1")
    history.coverage[CHANNEL].miss(STARTED + 5, STARTED + 8)
    (second,) = fill(history, "2", now=STARTED + 9)
    now = STARTED + 10
    assert after(history, "a", "1", now) == ([second], Gap(GapReason.REDIS_OUTAGE, STARTED + 5, STARTED + 8))
    assert after(history, "a", "2", now) == ([], None)
    # The id may be of an event in that time, or from before the pod: the outage comes after either.
    assert after(history, "a", "0", now)[1] == Gap(GapReason.REDIS_OUTAGE, None, STARTED + 8)
    assert since(history, "a", 2, now) == ([second], None)
    assert since(history, "a", 6, now) == ([second], Gap(GapReason.REDIS_OUTAGE, STARTED + 5, STARTED + 8))
    assert since(history, "a", 20, now)[1] == Gap(GapReason.REDIS_OUTAGE, STARTED - 10, STARTED + 8)


def test_several_outages_become_one_gap():
    history = make_history()
    fill(history, "1")
    history.coverage[CHANNEL].miss(STARTED + 2, STARTED + 3)
    fill(history, "2", now=STARTED + 4)
    history.coverage[CHANNEL].miss(STARTED + 5, STARTED + 6)
    history.coverage[JOURNAL].miss(STARTED + 7, STARTED + 8)
    now = STARTED + 9
    assert after(history, "a", "1", now)[1] == Gap(GapReason.REDIS_OUTAGE, STARTED + 2, STARTED + 8)
    assert after(history, "a", "2", now)[1] == Gap(GapReason.REDIS_OUTAGE, STARTED + 5, STARTED + 8)


def test_forgets_an_outage_with_the_events_before_it():
    history = make_history()
    history.coverage[CHANNEL].miss(STARTED + 2, STARTED + 3)
    history.expire(STARTED + SECONDS + 2)
    assert history.statistics().complete_since == STARTED + 3
    history.expire(STARTED + SECONDS + 3)
    assert after(history, "a", "0", STARTED + SECONDS + 3)[1] == Gap(GapReason.EXPIRED, None, STARTED + 3)


def test_what_was_read_from_before_the_start_is_complete():
    """Where nobody uses the channel, both ingresses count as heard since the journal's first entry.

    An id that is not there may now be of a time before that; it was the pod's start that was told once.
    """
    history = make_history()
    for coverage in history.coverage:
        coverage.heard_since = STARTED - 100
    assert history.statistics().complete_since == STARTED - 100
    assert since(history, "a", 100, STARTED)[1] is None
    assert after(history, "a", "0", STARTED)[1] == Gap(GapReason.POD_STARTED, None, STARTED - 100)


def test_an_event_from_before_the_start_is_followed_by_a_gap_unless_all_was_read():
    history = make_history()
    channel, journal = history.coverage
    channel.heard_since, journal.heard_since = STARTED + 5, STARTED - 20
    _, second = fill(history, "1", "2", now=STARTED - 10, ingress=JOURNAL)
    gap = Gap(GapReason.POD_STARTED, STARTED - 10, STARTED + 5)
    assert after(history, "a", "1", STARTED + 9) == ([second], gap)
    channel.miss(STARTED + 6, STARTED + 7)
    outage = Gap(GapReason.REDIS_OUTAGE, STARTED - 10, STARTED + 7)
    assert after(history, "a", "1", STARTED + 9) == ([second], outage)
    channel.heard_since = STARTED - 20
    outage = Gap(GapReason.REDIS_OUTAGE, STARTED + 6, STARTED + 7)
    assert after(history, "a", "1", STARTED + 9) == ([second], outage)
