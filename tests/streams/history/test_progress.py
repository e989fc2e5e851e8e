from __future__ import annotations

from math import inf

from streams.history.progress import (
    ANSWERS_KEPT,
    CLOCK_DOUBT_SECONDS,
    KEPT_SECONDS,
    MAX_LAG_SECONDS,
    MAX_LIVES,
    NAMED_SECONDS,
    PROOFS_KEPT_SECONDS,
    SILENT_SECONDS,
    Progress,
)
from tests.streams.builders import CHANNEL, JOURNAL

NOW = 1000.0


def make_progress(published: float = NOW) -> Progress:
    """Progress that knows that whatever is at a place from 10 on was published after a moment."""
    progress = Progress()
    progress.listen(-inf)
    progress.note_proof(10, published)
    return progress


def speak_again(progress: Progress, *lives: str) -> None:
    """Let lives state something behind all that is asked for: what they stated before had not waited."""
    for life in lives:
        progress.note(life, 1000, NOW + 50, (0.0, 0.0))


def spoke_before(progress: Progress, *lives: str) -> None:
    """Let lives have stated something long before: what they state next has not waited."""
    for life in lives:
        progress.note(life, 0, NOW - 20, (0.0, 0.0), subscribed=(0.0, 20.0))


def test_what_every_pod_stated_before_an_event_was_heard_by_whoever_wrote_it():
    progress = make_progress()
    progress.note("one", 11, NOW + 0.1, (0.0, 0.5))
    progress.note("two", 12, NOW + 0.2, (0.0, 2.0))
    speak_again(progress, "one", "two")
    assert progress.heard_elsewhere(JOURNAL, 15, NOW + 1) == NOW - 2
    assert progress.heard_elsewhere(JOURNAL, 10, NOW + 1) == NOW - MAX_LAG_SECONDS


def test_what_was_said_behind_an_event_says_nothing_of_the_time_before_it():
    progress = make_progress()
    progress.note("one", 11, NOW + 0.1, (0.0, 0.5))
    progress.note("two", 12, NOW + 0.2, (0.0, 2.0))
    progress.note("two", 16, NOW + 1.1, (0.0, 0.1))
    speak_again(progress, "one")
    assert progress.heard_elsewhere(JOURNAL, 15, NOW + 1) == NOW - 2
    assert progress.heard_elsewhere(JOURNAL, 16, NOW + 1.1) == NOW - 0.5


def test_what_a_life_said_first_may_have_waited_and_so_may_all_that_came_with_it():
    """A pod that starts while Redis is frozen hears at once what another one said at the beginning and at the end."""
    progress = make_progress()
    progress.note("frozen", 11, NOW + 3, (0.0, 0.0), apart=503.0)
    progress.note("frozen", 12, NOW + 3, (0.0, 0.0), apart=502.0)
    assert progress.heard_elsewhere(JOURNAL, 13, NOW + 3) == NOW - MAX_LAG_SECONDS
    assert progress.heard_elsewhere(CHANNEL, 13, NOW + 3.5) == NOW + 3.5 - CLOCK_DOUBT_SECONDS - MAX_LAG_SECONDS
    progress.note_proof(14, NOW + 3.25)
    progress.note("frozen", 15, NOW + 3.75, (0.0, 0.0), apart=500.0)
    assert progress.heard_elsewhere(JOURNAL, 16, NOW + 4) == NOW + 3.25
    assert progress.heard_elsewhere(JOURNAL, 13, NOW + 3) == NOW - 2, "put right since"


def test_a_statement_was_published_after_the_canary_before_it_and_no_earlier_is_sure():
    """No clock of another pod is trusted: the statement may have been on its way for long."""
    progress = make_progress()
    progress.note("one", 11, NOW + 5, (0.0, 1.0))
    speak_again(progress, "one")
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 5) == NOW - 1
    progress.note_proof(12, NOW + 4)
    progress.note("one", 12, NOW + 5, (0.0, 1.0))
    speak_again(progress, "one")
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 5) == NOW + 3


def test_a_statement_that_was_slower_than_others_was_made_long_before_it_was_published():
    """A pod's link to Redis may be slow for what it says and what it reads, and not for what it hears."""
    progress = make_progress()
    progress.note_proof(11, NOW + 1)
    progress.note("slow", 12, NOW + 1, (0.0, 0.0), apart=500.0)
    progress.note_proof(13, NOW + 5)
    progress.note("slow", 14, NOW + 5, (0.0, 0.5), apart=503.0)
    assert progress.heard_elsewhere(JOURNAL, 15, NOW + 5) == NOW + 5 - 3 - 0.5
    progress.note("slow", 16, NOW + 5.25, (0.0, 0.5), apart=499.0)
    assert progress.heard_elsewhere(JOURNAL, 17, NOW + 6) == NOW + 5 - 0.5


def test_without_a_canary_a_statement_proves_nothing():
    progress = Progress()
    progress.note("one", 11, NOW, (0.0, 0.0))
    assert progress.heard_elsewhere(JOURNAL, 12, NOW) == -inf


def test_no_pod_is_behind_by_more_than_it_would_have_told():
    progress = make_progress()
    progress.note("one", 11, NOW, (99.0, 99.0))
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 3) == NOW - MAX_LAG_SECONDS
    assert progress.heard_elsewhere(CHANNEL, 12, NOW + 3) == NOW + 3 - CLOCK_DOUBT_SECONDS - MAX_LAG_SECONDS


def test_a_channels_event_was_published_after_the_last_canary_before_it():
    progress = make_progress(NOW)
    progress.note_proof(20, NOW + 5)
    assert progress.heard_elsewhere(JOURNAL, 19, NOW + 6) == NOW - MAX_LAG_SECONDS
    assert progress.heard_elsewhere(JOURNAL, 20, NOW + 6) == NOW + 5 - MAX_LAG_SECONDS
    assert progress.heard_elsewhere(JOURNAL, 20, NOW + 4) == NOW + 4 - MAX_LAG_SECONDS


def test_for_the_journals_event_it_is_the_moment_that_counts_and_not_the_place():
    progress = make_progress()
    progress.note("one", 11, NOW + 1, (2.0, 0.0))
    progress.note("one", 99, NOW + 2, (0.5, 0.0))
    doubt = CLOCK_DOUBT_SECONDS
    assert progress.heard_elsewhere(CHANNEL, 0, NOW + 1 + doubt) == NOW - 2
    assert progress.heard_elsewhere(CHANNEL, 0, NOW + 2 + doubt) == NOW - 0.5
    assert progress.heard_elsewhere(CHANNEL, 0, NOW + 2) == NOW - 2, "its moment may be later than it was"
    # So it is of what has no place here.
    progress.note("one", 100, NOW + 3, (0.0, 0.25))
    assert progress.heard_elsewhere(JOURNAL, None, NOW + 3 + doubt) == NOW - 0.25


def test_a_pod_that_has_been_silent_for_long_holds_no_client_any_more():
    progress = make_progress()
    progress.note("gone", 11, NOW, (5.0, 5.0))
    late = NOW + SILENT_SECONDS
    progress.note_proof(12, late - 1)
    progress.note("one", 13, late - 1, (0.0, 0.0))
    speak_again(progress, "one")
    assert progress.heard_elsewhere(JOURNAL, 14, late - 0.5) == late - 1 - MAX_LAG_SECONDS
    assert progress.heard_elsewhere(JOURNAL, 14, late) == late - 1


def test_forgets_what_nobody_asks_for_any_more():
    progress = make_progress()
    progress.note("gone", 11, NOW, (0.0, 0.0))
    for second in range(1, 2 * int(PROOFS_KEPT_SECONDS)):
        now = NOW + second
        progress.note_proof(11 + second, now)
        progress.note("one", 11 + second, now, (0.0, 0.0))
    assert list(progress._lives) == ["one"]
    assert len(progress._lives["one"]) <= KEPT_SECONDS + 2
    assert len(progress._proofs) <= PROOFS_KEPT_SECONDS + 1


def test_who_is_forgotten_may_have_written_what_is_older():
    """The statements of a pod that ended later went on to count for one that had ended before, further behind."""
    progress = make_progress()
    progress.note("behind", 11, NOW, (0.0, 7.0))
    for second in range(120):
        now = NOW + second + 0.5
        progress.note_proof(12 + second, now)
        if second < 50:
            progress.note("two", 12 + second, now, (0.0, 0.0))
        progress.note("three", 12 + second, now, (0.0, 0.0))
        assert progress.heard_elsewhere(JOURNAL, 12, NOW + 0.5) <= NOW - 7


def test_what_a_pod_stated_last_before_the_oldest_event_is_kept():
    progress = make_progress()
    for second in range(100):
        progress.note("behind", 11 + second, NOW + second, (0.0, 7.0))
        progress.note("two", 11 + second, NOW + second + 0.5, (0.0, 0.0))
    progress.note("behind", 111, NOW + 99.9, (0.0, 7.0))
    assert progress.heard_elsewhere(JOURNAL, 11 + 39, NOW + 99.9 - KEPT_SECONDS) == NOW - 7


def test_more_lives_than_there_can_be_are_not_kept():
    progress = make_progress()
    for number in range(MAX_LIVES + 10):
        progress.note(f"life-{number}", 11, NOW, (0.0, 0.0))
    assert len(progress._lives) == MAX_LIVES
    assert "life-9" not in progress._lives


def test_a_life_that_is_heard_again_is_not_the_oldest():
    progress = make_progress()
    progress.note("one", 11, NOW, (0.0, 0.0))
    progress.note("two", 12, NOW + 1, (0.0, 0.0))
    progress.note("one", 13, NOW + KEPT_SECONDS, (0.0, 0.0))
    progress.note("one", 14, NOW + KEPT_SECONDS + SILENT_SECONDS + 2, (0.0, 0.0))
    assert list(progress._lives) == ["one"]


def test_what_was_said_before_it_listened_may_have_been_missed():
    """A pod that was not heard since may be as far behind as one ever is."""
    progress = make_progress()
    progress.note("one", 11, NOW + 1, (0.0, 0.0))
    progress.listen(NOW + 1)
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 2) == NOW - MAX_LAG_SECONDS
    # After the longest lag whoever was there before has spoken, or told its clients.
    progress.note_proof(13, NOW + 1 + MAX_LAG_SECONDS)
    progress.note("one", 13, NOW + 12, (0.0, 0.0))
    speak_again(progress, "one")
    assert progress.heard_elsewhere(JOURNAL, 14, NOW + 12) == NOW + 11


def test_who_does_not_hear_the_channel_is_not_counted_and_told_its_clients_a_moment_ago():
    progress = Progress()
    spoke_before(progress, "one")
    progress.listen(NOW)
    progress.note_proof(1, NOW + 1)
    progress.count(1, NOW + 1)
    progress.note("one", 2, NOW + 1, (0.0, 0.0), subscribed=(5.0, 0.0))
    progress.note("one", 4, NOW + 10, (-9.0, 0.0))
    moment = NOW + 1.5 + CLOCK_DOUBT_SECONDS
    assert progress.heard_elsewhere(CHANNEL, 3, moment) == NOW + 1.5 - NAMED_SECONDS
    assert progress.heard_elsewhere(JOURNAL, 3, moment) == NOW + 1
    assert progress.heard_elsewhere(CHANNEL, 5, NOW + 10.5) == NOW + 10, "it has spoken since"


def test_an_earlier_entry_that_another_pod_read_shows_that_the_journal_was_begun_anew():
    progress = make_progress()
    progress.journal_oldest = (5, 0)
    for entry, earlier in ((None, False), ((5, 0), False), ((4, 9), True), ((6, 0), True)):
        progress.note_oldest(entry)
        assert progress.earlier_read == earlier


def test_who_spoke_only_later_may_have_been_behind_before():
    """A pod that starts hears of others one by one: an event may have been written by one that it had not heard yet."""
    progress = make_progress()
    spoke_before(progress, "one", "two")
    progress.listen(NOW)
    progress.count(2, NOW)
    progress.note("one", 11, NOW + 1, (0.0, 0.0), subscribed=(5.0, 0.0))
    progress.note("two", 14, NOW + 2, (0.0, 7.0), subscribed=(5.0, 0.0))
    assert progress.heard_elsewhere(JOURNAL, 12, NOW + 1.5) == NOW - MAX_LAG_SECONDS
    progress.note_proof(15, NOW + 2)
    speak_again(progress, "one", "two")
    assert progress.heard_elsewhere(JOURNAL, 15, NOW + 2) == NOW - 7


def test_who_was_not_heard_in_an_outage_is_not_taken_for_silent():
    progress = make_progress()
    progress.note("one", 11, NOW, (0.0, 3.0))
    late = NOW + SILENT_SECONDS + 1
    progress.listen(late)
    progress.note_proof(12, late)
    progress.note("two", 13, late + 0.1, (0.0, 0.0))
    progress.count(1, late + 0.1)
    assert progress.heard_elsewhere(JOURNAL, 14, late + 0.2) == late - MAX_LAG_SECONDS


def test_of_the_proofs_of_a_day_one_a_minute_is_kept():
    progress = make_progress()
    for second in range(1, 7200):
        progress.note_proof(10 + second, NOW + second)
    assert progress.published_after(10 + 90, inf) == NOW + 60
    assert len(progress._early_proofs) == (7200 - PROOFS_KEPT_SECONDS) / 60


def test_before_an_outage_all_were_known_who_spoke_then():
    progress = Progress()
    progress.listen(NOW)
    progress.note_proof(1, NOW + 1)
    progress.note("one", 2, NOW + 1, (0.0, 2.0))
    progress.count(1, NOW + 1)
    progress.note_proof(5, NOW + 20)
    progress.note("one", 6, NOW + 20, (0.0, 3.0))
    progress.note_proof(9, NOW + 21)
    progress.listen(NOW + 25)
    assert progress.heard_elsewhere(JOURNAL, 8, NOW + 20.5) == NOW + 17
    assert progress.heard_elsewhere(JOURNAL, 9, NOW + 21.5) == NOW + 11, "others may have come since"


def test_the_slowest_of_the_last_answers_counts():
    """Whoever knows no quicker way takes what was said for younger than it is."""
    progress = Progress()
    assert progress.slow_seconds == 0.0
    for seconds in (0.125, 0.5, 0.25):
        progress.count(1, NOW, seconds)
    assert progress.slow_seconds == 0.5
    for _ in range(ANSWERS_KEPT - 1):
        progress.count(1, NOW, 0.25)
    assert progress.slow_seconds == 0.25, "that was long ago"
