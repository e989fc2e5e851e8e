"""What pods state while some of them may be with a Redis that is no primary any more."""

from __future__ import annotations

from math import inf

from streams.history.progress import MAX_LAG_SECONDS, SILENT_SECONDS, Progress
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.history.test_progress import NOW, make_progress, speak_again, spoke_before


def test_what_came_from_a_wrong_redis_counts_up_to_when_it_became_wrong():
    progress = make_progress()
    progress.note("one", 11, NOW, (0.0, 0.0))
    progress.distrust(NOW - 20, NOW + 1)
    # Pods find it out one after the other, and none is as far as it would have told.
    for moment in (NOW, NOW + 1 + SILENT_SECONDS):
        assert progress.heard_elsewhere(JOURNAL, 12, moment) == NOW - 20
        assert progress.heard_elsewhere(CHANNEL, 12, moment) == NOW - 20
    progress.note_proof(20, NOW + 15)
    progress.note("one", 21, NOW + 15, (1.0, 1.0))
    assert progress.heard_elsewhere(JOURNAL, 22, NOW + 15) == NOW + 14


def test_what_came_before_a_redis_became_wrong_stays_true():
    progress = make_progress()
    progress.note("one", 11, NOW, (3.0, 3.0))
    speak_again(progress, "one")
    progress.distrust(NOW - 1, NOW)
    assert progress.heard_elsewhere(JOURNAL, 12, NOW) == NOW - 3


def test_who_has_an_event_of_a_wrong_redis_has_what_came_before_it_became_wrong():
    progress = make_progress()
    progress.distrust(NOW - 20, NOW)
    progress.distrust(NOW - 30, NOW - 15)
    trusted = [progress.trusted_until(NOW + at) for at in (-30, -25, -19, 0, SILENT_SECONDS, SILENT_SECONDS + 1)]
    assert trusted == [NOW - 30, NOW - 30, NOW - 30, NOW - 20, NOW - 20, NOW + SILENT_SECONDS + 1]


def progress_that_knows_all() -> Progress:
    """Progress that has listened for a moment only, and heard as many pods as Redis counts."""
    progress = Progress()
    progress.note_proof(1, -inf)
    spoke_before(progress, "one")
    progress.listen(NOW)
    progress.note_proof(2, NOW)
    progress.count(1, NOW)
    progress.note("one", 3, NOW + 0.5, (0.0, 0.0), subscribed=(5.0, 0.0))
    speak_again(progress, "one")
    return progress


def test_pods_that_another_redis_has_are_not_counted_and_so_not_all_are_known():
    """One that starts after a failover hears some pods, and knows nothing of one that is still with the old primary."""
    progress = progress_that_knows_all()
    assert progress.heard_elsewhere(CHANNEL, 4, NOW + 2) > NOW - 1
    progress.distrust(NOW - 1, NOW + 0.75)
    progress.note_proof(3, NOW + 1)
    progress.note("one", 3, NOW + 1, (0.0, 0.0), subscribed=(5.0, 0.0))
    progress.count(1, NOW + 1)
    assert progress.heard_elsewhere(CHANNEL, 4, NOW + 2) <= NOW + 2 - MAX_LAG_SECONDS


def test_pods_that_were_counted_before_stay_all_that_there_were():
    progress = progress_that_knows_all()
    progress.distrust(NOW + 1, NOW + 2)
    assert progress.heard_elsewhere(CHANNEL, 4, NOW + 3) == NOW
