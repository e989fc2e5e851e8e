"""Since when a pod knows all others: where as many surely were subscribed as Redis counted."""

from __future__ import annotations

import pytest

from streams.history.progress import MAX_LAG_SECONDS, Progress
from tests.streams.builders import JOURNAL
from tests.streams.history.test_progress import NOW, make_progress, speak_again, spoke_before


def test_where_as_many_lives_are_subscribed_as_redis_counts_none_was_missed():
    progress = make_progress()
    spoke_before(progress, "one", "two")
    progress.listen(NOW)
    progress.note("one", 11, NOW + 1, (0.0, 0.0), subscribed=(5.0, 0.0))
    progress.count(2, NOW + 0.5, 0.25)
    progress.count(0, NOW + 0.5)
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 2) == NOW - MAX_LAG_SECONDS
    progress.note("two", 11, NOW + 1, (0.0, 0.0), subscribed=(5.0, 0.0))
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 2) == NOW - MAX_LAG_SECONDS, "what it said was said before"
    progress.note_proof(12, NOW + 1)
    for life in ("one", "two"):
        progress.note(life, 12, NOW + 1, (0.0, 0.0), subscribed=(5.0, 0.0))
    speak_again(progress, "one", "two")
    assert progress.heard_elsewhere(JOURNAL, 11, NOW + 2) == NOW - MAX_LAG_SECONDS, "it may be from before"
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 2) == NOW + 1


@pytest.mark.parametrize(
    ("subscribed", "surely"),
    [
        ((1.0, 0.0), True),
        # It may have subscribed after the count, or be dead, or cut off, since before it; another was counted then.
        ((0.5, 0.0), False),
        ((1.0, 0.75), False),
    ],
)
def test_a_life_that_speaks_may_be_another_than_those_that_redis_counted(subscribed: tuple[float, float], surely: bool):
    progress = Progress()
    spoke_before(progress, "other")
    progress.listen(NOW)
    progress.note_proof(1, NOW + 2)
    progress.note_own("own", 2, NOW + 2, (NOW + 2, NOW + 2), (NOW, NOW + 2))
    progress.count(2, NOW + 1.5, 0.25)
    progress.note("other", 2, NOW + 2, (0.0, 1.0), subscribed=subscribed)
    speak_again(progress, "other")
    assert (progress.heard_elsewhere(JOURNAL, 3, NOW + 2.5) == NOW + 1) is surely


def test_a_life_of_which_everything_waited_is_not_known_to_have_been_counted():
    """What it said may be from before it was cut off, or died, and another was counted in its place."""
    progress = Progress()
    progress.listen(NOW)
    progress.note_proof(1, NOW + 2)
    progress.note_own("own", 2, NOW + 2, (NOW + 2, NOW + 2), (NOW, NOW + 2))
    progress.count(2, NOW + 1.5, 0.25)
    progress.note("dead", 2, NOW + 2, (0.0, 1.0), apart=503.0, subscribed=(5.0, 0.0))
    progress.note("dead", 2, NOW + 2, (0.0, 1.0), apart=502.0, subscribed=(5.0, 0.0))
    assert progress._listening.complete_since > NOW + 60
    # Another word shows that those were under way for 2 s, which is to before the count.
    progress.note("dead", 3, NOW + 3, (0.0, 1.0), apart=501.0, subscribed=(0.5, 0.0))
    assert progress._listening.complete_since > NOW + 60
