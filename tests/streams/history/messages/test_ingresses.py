"""What one id, which is of one ingress, tells of the other: two pods need not have heard them in one order."""

from __future__ import annotations

import json
from math import inf

from streams.history.coverage import Gap, GapReason, Ingress
from streams.history.memory import APART_SECONDS
from streams.history.messages import READ_APART_SECONDS, History
from streams.history.progress import CLOCK_DOUBT_SECONDS
from streams.history.replays import Replay
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import SECONDS, after, all_heard, fill, make_history, message, nothing_known, since


def two_ingresses() -> tuple[History, bytes, bytes, bytes]:
    """The channel's P and Q with the journal's J between them, which was read before Q."""
    history = make_history()
    (p,) = fill(history, "p", now=STARTED + 50)
    (j,) = fill(history, "j", now=STARTED + 51, ingress=JOURNAL)
    (q,) = fill(history, "q", now=STARTED + 52)
    return history, p, j, q


def test_one_id_tells_little_of_the_other_ingress():
    """One id hid once all that this pod had heard before it, also what another pod had not heard yet."""
    history, p, j, q = two_ingresses()
    asked: list[tuple[Ingress, int | None, float]] = []

    def behind(ingress: Ingress, place: int | None, moment: float) -> float:
        asked.append((ingress, place, moment))
        return STARTED + 50.5

    replay = history.after("a", "q", STARTED + 60, behind)
    assert asked == [(JOURNAL, 2, STARTED + 52)]
    assert replay == Replay([j], None, first=1, doubtful=(0,), apart_seconds=1.5)
    replay = history.after("a", "j", STARTED + 60, lambda *_: STARTED + 49)
    assert replay == Replay([p, q], None, first=0, doubtful=(0, 1), apart_seconds=2)
    assert history.after("a", "j", STARTED + 60, all_heard) == Replay([q], None, first=2, doubtful=(0,))
    assert history.after("a", "q", STARTED + 60, all_heard) == Replay([], None, first=3)
    # Pods had heard more by then, and all that came after the event is replayed nevertheless.
    assert history.after("a", "p", STARTED + 60, lambda *_: inf).messages == [j, q]


def test_two_pods_that_heard_two_ingresses_in_opposite_order_lose_nothing():
    """Whichever pod it left, and whatever it read there last, a client has all by its own events and the replay."""
    events = {
        CHANNEL: [(STARTED + 50.0, b'{"clientName":"a","eventId":"p"}')],
        JOURNAL: [(STARTED + 50.5, b'{"clientName":"a","eventId":"j"}')],
    }
    pods: dict[Ingress, History] = {}
    for first in Ingress:
        pods[first] = make_history()
        for ingress in (first, first.other):
            for moment, each in events[ingress]:
                pods[first].extend(["a"], [each], STARTED + 51, ingress, [moment])
    for first, event_id in ((CHANNEL, "p"), (JOURNAL, "j")):
        # It read one event on a pod that had not heard the other one yet, and comes to one that heard that first.
        (_, had), other = events[first][0], pods[first.other]
        replay = other.after("a", event_id, STARTED + 60, lambda *_: STARTED + 49)
        assert replay.gap is None
        assert {had, *replay.messages} == {each for _, each in events[CHANNEL] + events[JOURNAL]}


def test_what_the_other_ingress_brought_long_after_is_not_doubtful():
    history = make_history()
    fill(history, "c", now=STARTED + 50)
    fill(history, "near", now=STARTED + 50 + APART_SECONDS, ingress=JOURNAL)
    fill(history, "far", now=STARTED + 51 + APART_SECONDS, ingress=JOURNAL)
    assert history.after("a", "c", STARTED + 100, all_heard).doubtful == (0,)


def test_what_the_other_ingress_lost_is_told_by_what_other_pods_had_heard():
    history, *_ = two_ingresses()
    history.coverage[JOURNAL].miss(STARTED + 40, STARTED + 51.5)
    outage = Gap(GapReason.REDIS_OUTAGE, STARTED + 50.5, STARTED + 51.5)
    assert history.after("a", "q", STARTED + 60, lambda *_: STARTED + 50.5).gap == outage
    assert history.after("a", "q", STARTED + 60, all_heard).gap is None


def test_where_no_pod_said_what_it_had_heard_everything_of_the_other_ingress_is_doubtful():
    history, _, j, _ = two_ingresses()
    replay = history.after("a", "q", STARTED + 60, nothing_known)
    assert replay.messages == [j]
    assert replay.gap == Gap(GapReason.POD_STARTED, -inf, STARTED)


def test_what_is_forgotten_of_the_other_ingress_is_told():
    history = make_history(per_client=2)
    fill(history, "j", now=STARTED + 50, ingress=JOURNAL)
    fill(history, "p", "q", now=STARTED + 51)
    gap = Gap(GapReason.EXPIRED, STARTED + 45, STARTED + 50 + READ_APART_SECONDS)
    assert history.after("a", "p", STARTED + 60, lambda *_: STARTED + 45).gap == gap
    # One of that very moment may have been behind it.
    assert history.after("a", "p", STARTED + 60, lambda *_: STARTED + 51).gap is not None
    assert history.after("a", "q", STARTED + 60, lambda *_: STARTED + 51.001).gap is None
    history.note_early(2.5, STARTED + 51)
    later = history.after("a", "p", STARTED + 60, lambda *_: STARTED + 45).gap
    assert later == gap._replace(ended=STARTED + 52.5), "where moments may be too early, by as much"


def test_an_event_of_the_journal_that_is_read_late_keeps_the_moment_at_which_redis_took_it():
    """It counted once from when it was read, behind an outage that it came before."""
    history = make_history()
    fill(history, "1")
    history.coverage[CHANNEL].miss(STARTED + 10, STARTED + 20)
    late = message("late")
    history.extend(["a"], [late], STARTED + 21, JOURNAL, [STARTED + 12])
    assert history.events_of("a", 1) == [(STARTED + 12, late)]
    gap = Gap(GapReason.REDIS_OUTAGE, STARTED + 12, STARTED + 20)
    assert after(history, "a", "late", STARTED + 30) == ([], gap)


def test_what_was_heard_before_the_journals_past_is_replayed():
    """A pod that starts hears the channel while it still reads what the journal has from before."""
    history = make_history()
    history.coverage[CHANNEL].heard_since = STARTED + 100
    (heard,) = fill(history, "p", now=STARTED + 100.5)
    history.extend(["a"], [message("old")], STARTED + 101, JOURNAL, [STARTED + 50])
    gap = Gap(GapReason.POD_STARTED, STARTED + 50, STARTED + 100)
    assert after(history, "a", "old", STARTED + 102) == ([heard], gap)


def test_the_last_moment_that_is_forgotten_does_not_go_back():
    history = make_history(max_bytes=1000)
    history.coverage[JOURNAL].heard_since = STARTED - 100
    for moment, name in ((STARTED + 50, "a"), (STARTED + 10, "b"), (STARTED + 60, "c")):
        history.extend([name], [message("1", padding=500)], STARTED + 60, JOURNAL, [moment])
    assert history.statistics().events == 1
    assert history.statistics().complete_since == STARTED + 50
    history = make_history(per_client=1)
    for moment in (STARTED + 50, STARTED + 10, STARTED + 60):
        history.extend(["a"], [message("1")], STARTED + 60, JOURNAL, [moment])
    # An entry's moment may be that of the read before it.
    latest = STARTED + 50 + READ_APART_SECONDS
    assert since(history, "a", 45, STARTED + 90)[1] == Gap(GapReason.EXPIRED, STARTED + 45, latest)


def test_what_went_before_its_turn_is_told_when_nothing_of_the_client_is_left():
    """The journal's event was read late, and was too old while that which had to go for it was not."""
    history = make_history(per_client=1)
    fill(history, "c", now=STARTED + 50)
    history.extend(["a"], [message("j")], STARTED + 51, JOURNAL, [STARTED + 40])
    now = STARTED + 40 + SECONDS
    assert since(history, "a", SECONDS - 5, now)[1] is not None


def test_an_outage_is_told_as_long_as_an_event_may_point_before_it():
    history = make_history()
    history.coverage[JOURNAL].miss(STARTED + 40, STARTED + 41)
    fill(history, "c", now=STARTED + 42)
    now = STARTED + SECONDS + 41.5
    history.expire(now)
    assert history.after("a", "c", now, lambda *_: STARTED + 39).gap is not None


def test_an_id_that_came_by_both_ingresses_points_at_neither_of_the_two_alone():
    """The client read the journal's, on a pod that had not heard the channel's yet, nor what came there before."""
    history = make_history()
    (lost,) = fill(history, "p", now=STARTED + 50)
    fill(history, "twice", now=STARTED + 51)
    fill(history, "twice", now=STARTED + 51, ingress=JOURNAL)
    replay = history.after("a", "twice", STARTED + 60, lambda *_: STARTED + 49)
    assert lost in replay.messages


def test_where_the_journal_never_had_anything_before_nothing_is_missing_from_before_the_start():
    """A pod that starts with the first event of all would tell every client of the channel once."""
    history = make_history()
    fill(history, "c", now=STARTED + 1)
    fill(history, "j", now=STARTED + 2, ingress=JOURNAL)
    gap = Gap(GapReason.POD_STARTED, STARTED - 9, STARTED)
    assert history.after("a", "c", STARTED + 9, lambda *_: STARTED - 9).gap == gap
    history.coverage[JOURNAL].from_the_first = True
    assert history.after("a", "c", STARTED + 9, lambda *_: STARTED - 9).gap is None
    history.coverage[JOURNAL].miss(STARTED + 3, STARTED + 4)
    assert history.after("a", "c", STARTED + 9, lambda *_: STARTED - 9).gap == Gap(
        GapReason.REDIS_OUTAGE, STARTED + 3, STARTED + 4
    )


def test_an_entry_that_was_read_late_may_have_the_very_moment_up_to_which_its_pod_had_read():
    """Redis' clock was set back and the pod connected anew: nothing is known of the entry but the read before it."""
    history = make_history()
    (c,) = fill(history, "c", now=STARTED + 50.5)
    (j,) = fill(history, "j", now=STARTED + 50.25, ingress=JOURNAL)
    assert history.after("a", "c", STARTED + 60, lambda *_: STARTED + 50.25).messages == [j]
    unheard = history.after_unheard("a", (STARTED + 50, STARTED + 50.25 + CLOCK_DOUBT_SECONDS), STARTED + 60)
    assert unheard.messages == [c, j]
    history.journal_unsure.note(STARTED + 50.25, STARTED + 52)
    assert history.after("a", "c", STARTED + 60, all_heard).messages == [j]


def test_entries_whose_moment_may_be_too_early_are_sent_rather_twice():
    history = make_history()
    (j,) = fill(history, "j", now=STARTED + 50.25, ingress=JOURNAL)
    (c,) = fill(history, "c", now=STARTED + 50.5)
    assert history.after("a", "c", STARTED + 60, all_heard).messages == []
    history.journal_unsure.note(STARTED + 50, STARTED + 52)
    assert history.after("a", "c", STARTED + 60, all_heard).messages == [j]
    # The channel's moments are this pod's own.
    assert history.after("a", "j", STARTED + 60, all_heard).messages == [c]
    assert history.after("a", "j", STARTED + 60, lambda *_: STARTED + 50.5).messages == [c]


def test_where_redis_clock_was_set_back_by_little_entries_may_be_younger_than_they_look():
    history = make_history()
    (j,) = fill(history, "j", now=STARTED + 50, ingress=JOURNAL)
    fill(history, "c", now=STARTED + 50.5)
    heard = STARTED + 50.25
    assert history.after("a", "c", STARTED + 60, lambda *_: heard).messages == []
    history.note_early(0.5, STARTED + 50)
    assert history.after("a", "c", STARTED + 60, lambda *_: heard).messages == [j]


def test_what_was_lost_behind_an_event_that_was_read_late_is_told_from_its_publication():
    """A pod that stood still read the id long after it was published, and lost what was published in between."""
    history = make_history()
    fill(history, "c", now=STARTED + 50)
    history.coverage[CHANNEL].miss(STARTED + 48, STARTED + 51)
    published = STARTED + 45
    replay = history.after("a", "c", STARTED + 60, all_heard, lambda _place, _moment: published)
    assert replay.gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 48, STARTED + 51)
    fill(history, "j", now=STARTED + 50, ingress=JOURNAL)
    replay = history.after("a", "j", STARTED + 60, all_heard, lambda _place, _moment: published)
    assert replay.gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 50, STARTED + 51), "the journal's moments are Redis' own"
    early = history.after("a", "c", STARTED + 60, all_heard, lambda _place, _moment: -inf)
    assert early.gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 48, STARTED + 51), "this pod was there all the time"


def test_an_id_of_a_wrong_redis_tells_less_of_its_own_ingress_too():
    """The pod that wrote its event may not have been sent those before it."""
    history = make_history()
    _one, two, _three, four = (fill(history, name, now=STARTED + 50 + number)[0] for number, name in enumerate("1234"))
    replay = history.after("a", "3", STARTED + 60, all_heard, trusted_until=lambda moment: moment - 1.5)
    assert (replay.messages, replay.known) == ([two, four], True)
    history.coverage[CHANNEL].miss(STARTED + 49, STARTED + 51.5)
    replay = history.after("a", "3", STARTED + 60, all_heard, trusted_until=lambda moment: moment - 1.5)
    assert replay.gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 50.5, STARTED + 51.5)
    assert history.after("a", "3", STARTED + 60, all_heard).gap is None


def test_what_is_forgotten_of_the_ids_own_ingress_is_told_where_it_does_not_tell_what_was_read():
    """Another pod read it from a Redis that was no primary any more, and nothing of what was before it."""
    history = make_history(per_client=2)
    fill(history, "1", "2", "3", "4", now=STARTED + 50)
    replay = history.after("a", "4", STARTED + 60, all_heard, trusted_until=lambda _moment: STARTED + 49)
    assert [json.loads(each)["eventId"] for each in replay.messages] == ["3"]
    assert replay.gap == Gap(GapReason.EXPIRED, STARTED + 49, STARTED + 51)
    assert history.after("a", "4", STARTED + 60, all_heard).gap is None
