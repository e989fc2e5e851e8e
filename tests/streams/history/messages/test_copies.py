"""Copies of an event: publishers try again, and two messages may have one id."""

from __future__ import annotations

import pytest

from streams.history.coverage import Gap, GapReason, Ingress
from streams.history.messages import RETRY_SECONDS, TWIN_SECONDS, History
from streams.history.progress import CLOCK_DOUBT_SECONDS
from streams.history.replays import Marks, Replay
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.history.histories import LATER, all_heard, fill, make_history

OUT, BACK = LATER + 5, LATER + 8
GAP = Gap(GapReason.REDIS_OUTAGE, OUT, BACK)


@pytest.fixture
def history() -> History:
    """Return one that missed a time, in which a copy of the next event may have been published."""
    history = make_history()
    history.copies_seen = True
    fill(history, "1", now=LATER)
    history.coverage[CHANNEL].miss(OUT, BACK)
    fill(history, "2", "e", "3", now=BACK)
    return history


def back(history: History, event_id: str = "e", marks: Marks | None = None, *, given: bool = False) -> Replay:
    return history.after("a", event_id, BACK + 4, all_heard, marks=marks, given=given)


def ids(replay: Replay) -> list[str]:
    return [each for each in ("1", "2", "e", "3") if f'"{each}"'.encode() in b"".join(replay.messages)]


def test_a_copy_that_was_missed_may_be_what_a_client_has_read(history: History):
    replay = back(history)
    assert replay.in_doubt
    assert ids(replay) == ["1", "2", "e", "3"]
    assert replay.doubtful == (0, 1, 2), "the client may have all of these"
    assert replay.gap == GAP


def test_what_was_written_here_is_no_copy(history: History):
    replay = back(history, given=True)
    assert (replay.in_doubt, ids(replay), replay.gap) == (False, ["3"], None)


def test_a_copy_that_was_published_when_this_pod_heard_again_is_here(history: History):
    replay = back(history, marks=(BACK, BACK))
    assert (replay.in_doubt, ids(replay), replay.gap) == (False, ["3"], None)


def test_of_a_copy_that_another_pod_has_the_time_counts(history: History):
    replay = back(history, marks=(OUT + 1, OUT + 1))
    assert replay.in_doubt
    assert ids(replay) == ["2", "e", "3"]
    assert replay.gap == GAP._replace(began=OUT + 1)


def test_long_after_what_was_missed_nobody_publishes_again(history: History):
    (_,) = fill(history, "late", now=BACK + RETRY_SECONDS)
    assert not back(history, "late").in_doubt


def test_on_the_other_ingress_less_is_read_too(history: History):
    fill(history, "j", now=BACK - RETRY_SECONDS, ingress=JOURNAL)
    assert b'"j"' in b"".join(back(history).messages)


def test_a_pod_that_may_have_missed_a_copy_says_nothing_of_its_readers(history: History):
    assert history.marks_of("a", "e", all_heard, lambda _place, moment: moment, given=False) is None
    assert history.marks_of("a", "e", all_heard, lambda _place, moment: moment) == (BACK + 1, BACK + 1)
    assert history.marks_of("a", "1", all_heard, lambda _place, moment: moment, given=False) is not None


def test_a_copy_may_have_been_in_a_journal_that_was_deleted():
    """The journal that is there now has all that was added to it, and knows nothing of the one before."""
    history = make_history()
    history.copies_seen = True
    history.coverage[JOURNAL].from_the_first = True
    fill(history, "1", "e", "2", ingress=JOURNAL)
    replay = history.after("a", "e", history.coverage[JOURNAL].heard_since, all_heard, given=False)
    assert (replay.in_doubt, ids(replay)) == (True, ["1", "2", "e"])


def of_both_ingresses() -> History:
    """Return one that read an event of the journal while it did not hear the channel, by which it came too."""
    history = make_history()
    history.twins_seen = True
    fill(history, "1", "2", "e", "3", now=LATER, ingress=JOURNAL)
    return history


def test_what_came_by_the_other_ingress_too_may_have_been_read_there():
    history = of_both_ingresses()
    history.coverage[CHANNEL].miss(LATER + 1, LATER + 3)
    replay = back(history)
    assert replay.in_doubt
    assert ids(replay) == ["1", "2", "e", "3"]
    told = back(history, marks=(LATER + 2, LATER))
    assert (told.in_doubt, ids(told)) == (False, ["2", "e", "3"]), "so far the pod had read the journal that wrote it"
    assert ids(back(history, given=True)) == ["3"]


def test_whoever_was_written_a_twin_had_read_both_ingresses_so_far():
    history = of_both_ingresses()
    history.coverage[CHANNEL].miss(LATER + 1, LATER + 3)

    def heard(_ingress: Ingress, place: int | None, moment: float) -> float:
        return moment if place is not None else moment - 1

    def marks(*, given: bool) -> tuple[float, float] | None:
        return history.marks_of("a", "e", heard, lambda _place, moment: moment, given=given)

    assert marks(given=True) == (LATER + 2, LATER + 2 - CLOCK_DOUBT_SECONDS)
    twin = LATER + 2 - TWIN_SECONDS
    assert marks(given=False) == (twin, twin - 1 - CLOCK_DOUBT_SECONDS)


def test_what_is_not_heard_yet_may_come_by_the_other_ingress_too():
    history = of_both_ingresses()
    lately = history.after("a", "e", BACK, all_heard, given=False, proven=(LATER + 3, LATER + 9))
    assert lately.in_doubt
    assert not history.after("a", "e", BACK, all_heard, given=False, proven=(LATER + 9, LATER + 9)).in_doubt
    history.twins_seen = False
    assert not history.after("a", "e", BACK, all_heard, given=False, proven=(LATER + 3, LATER + 9)).in_doubt
