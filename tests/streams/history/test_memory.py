"""What is kept and what is let go; the process grows by what the history says, whatever a publisher sends."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Iterable

import pytest

from streams.history.coverage import Gap, GapReason
from streams.history.memory import APART_SECONDS, BYTES_FOR_A_LAST_ID
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import (
    LATER,
    NO_LIMIT,
    SECONDS,
    after,
    all_heard,
    fill,
    make_history,
    message,
    since,
)


@pytest.mark.parametrize("clients", [50, 1000, 10_000])
def test_memory_is_what_it_says(clients: int):
    chosen, max_bytes = random.Random(1), 2 << 20
    gc.collect()
    tracked = len(gc.get_objects())
    tracemalloc.start()
    try:
        history = make_history(max_bytes=max_bytes, per_client=NO_LIMIT)
        for number in range(12_000):
            # A name of its own for each event, as the decoder makes them.
            name = f"STORE{chosen.randrange(clients):05d}-LANE01"
            history.extend([name], [message(f"evt-{number:010d}", padding=190)], STARTED + number / 1000, CHANNEL)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(history.events_of(name, 1)[0][1]) == 250
    assert used == pytest.approx(max_bytes, rel=0.2)
    assert history.statistics().bytes == pytest.approx(max_bytes, rel=0.01)
    gc.collect()
    assert len(gc.get_objects()) - tracked < 1000, "nothing that the garbage collector tracks for an event or a client"


def grown_by(max_bytes: int, events: Iterable[tuple[str, bytes]]) -> int:
    """Return by how many bytes a process grows that takes in events and lets all of them expire."""
    tracemalloc.start()
    try:
        history = make_history(max_bytes=max_bytes)
        for name, written in events:
            history.extend([name], [written], STARTED + 100, CHANNEL)
        history.expire(STARTED + 1000)
        assert history.statistics().events == 0
        assert history.statistics().bytes == 0
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name_bytes", "id_bytes"), [(100, 20_000), (20_000, 20), (20_000, 20_000), (128, 128)])
def test_names_and_last_ids_of_any_length_are_bounded(name_bytes: int, id_bytes: int):
    """What had expired left its id, and under its name, of whatever length: hundreds of MiB beyond HISTORY_BYTES."""
    max_bytes = 1 << 20
    count = 2 * max_bytes // BYTES_FOR_A_LAST_ID
    events = ((f"N{number:0{name_bytes - 1}d}", message("x" * id_bytes)) for number in range(count))
    assert grown_by(max_bytes, events) < max_bytes / 4


@pytest.mark.parametrize("off", [{"seconds": 0}, {"max_bytes": 0}, {"per_client": 0}])
def test_remembers_nothing_where_a_limit_is_zero(off: dict[str, int]):
    """Any `since` is then of more seconds than are remembered, and nobody knows where they began."""
    history = make_history(**off)
    fill(history, "1", "2")
    assert history.statistics()[:3] == (0, 0, 0)
    now = STARTED + 9
    assert after(history, "a", "1", now) == ([], Gap(GapReason.EXPIRED, None, now))
    assert since(history, "a", 9, now) == ([], Gap(GapReason.EXPIRED, None, now))
    assert not history.may_hold("1")


def test_an_idle_history_shrinks_to_nothing():
    history = make_history()
    fill(history, "1", name="b")
    fill(history, "1", "2")
    history.expire(STARTED + SECONDS)
    assert history.statistics()[:2] == (1, 1)
    history.expire(STARTED + SECONDS + 1)
    assert history.statistics() == (0, 0, 0, STARTED + 1)


def test_taking_in_alone_lets_the_old_go():
    history = make_history()
    fill(history, "1")
    fill(history, "2", name="b", now=STARTED + SECONDS)
    assert history.statistics()[:2] == (1, 1)


def test_a_message_over_the_limit_is_not_kept():
    history = make_history(max_bytes=1000)
    history.extend(["a"], [message("1", padding=2000)], STARTED, CHANNEL)
    assert history.statistics() == (0, 0, 0, STARTED)


def test_one_client_cannot_take_the_place_of_the_others():
    history = make_history(max_bytes=100_000, per_client=10)
    fill(history, "1", name="quiet")
    for number in range(1000):
        history.extend(["noisy"], [message(str(number), padding=100)], STARTED, CHANNEL)
    assert len(history.events_of("quiet", 10)) == 1
    assert len(history.events_of("noisy", 100)) == 10


def test_a_quiet_client_is_told_of_an_outage():
    history = make_history(seconds=10, max_bytes=2**20)
    fill(history, "1", now=LATER)
    history.expire(LATER + 100)
    history.coverage[CHANNEL].miss(LATER + 100, LATER + 101)
    assert after(history, "a", "1", LATER + 105)[1] == Gap(GapReason.REDIS_OUTAGE, LATER + 100, LATER + 101)
    # Nobody knows of that outage any more, so nobody may be told that nothing is missing.
    assert after(history, "a", "1", LATER + 200)[1] is not None


def test_last_ids_are_few():
    history = make_history(seconds=10, max_bytes=2**20)
    for number in range(1000):
        fill(history, "1", name=f"client-{number}", now=LATER)
    history.expire(LATER + 100)
    assert after(history, "client-999", "1", LATER + 101)[1] is None
    assert after(history, "client-0", "1", LATER + 101)[1] is not None


def test_an_id_that_no_client_can_send_back_is_no_last_id():
    history = make_history(seconds=10, max_bytes=2**20)
    fill(history, "x" * 129, "é", now=LATER)
    history.expire(LATER + 100)
    assert not history.after("a", "x" * 129, LATER + 100, all_heard).known
    assert not history._last_ids


def test_the_last_id_of_an_event_that_others_may_have_before_another_is_not_kept():
    history = make_history(seconds=10, max_bytes=2**20)
    fill(history, "j", now=LATER, ingress=JOURNAL)
    fill(history, "c", now=LATER + APART_SECONDS - 1)
    history.expire(LATER + 100)
    assert not history.after("a", "c", LATER + 100, all_heard).known
    fill(history, "j2", name="b", now=LATER + 200, ingress=JOURNAL)
    fill(history, "c2", name="b", now=LATER + 200 + APART_SECONDS)
    history.expire(LATER + 300)
    assert history.after("b", "c2", LATER + 300, all_heard).known


def test_the_last_id_from_before_the_start_is_not_kept():
    history = make_history(seconds=10, max_bytes=2**20)
    history.coverage[JOURNAL].heard_since = STARTED - 50
    fill(history, "1", now=STARTED - 20, ingress=JOURNAL)
    history.expire(STARTED)
    assert not history.after("a", "1", STARTED, all_heard).known


def test_the_last_id_from_shortly_after_the_start_is_not_kept():
    """A client of a pod that was behind on the channel may lack what was published before this pod was there."""
    history = make_history(seconds=10, max_bytes=2**20)
    history.coverage[JOURNAL].heard_since = STARTED - 50
    fill(history, "1", now=STARTED + 1, ingress=JOURNAL)
    history.expire(STARTED + 100)
    assert after(history, "a", "1", STARTED + 100)[1] is not None


def test_names_that_no_client_can_have_are_not_remembered():
    """They were kept once, of any length."""
    history = make_history()
    first, second = message("1"), message("2")
    assert history.extend(["a", "x" * 200, "a", "b c"], [first, second, second, first], STARTED, CHANNEL) == [1, 3]
    assert [each for _, each in history.events_of("a", 9)] == [first, second]
    assert history.statistics()[:2] == (2, 1)
    assert history.end == 4
    history.expire(STARTED + SECONDS)
    assert history.statistics()[:3] == (0, 0, 0)


def test_a_place_is_the_same_after_the_columns_closed_up():
    history = make_history()
    fill(history, *"12345678")
    history.expire(STARTED + SECONDS + 2.5)
    assert history.statistics().events == len(history._messages) == 5
    assert history.end == 8
    assert history.after("a", "6", STARTED + SECONDS + 2.5, all_heard).first == 6


def test_limits_can_be_asked_for():
    history = make_history(seconds=5.0, max_bytes=1000)
    assert (history.seconds, history.max_bytes) == (5.0, 1000)
    assert make_history(seconds=5.0, max_bytes=0).seconds == 0, "nothing is remembered"


def test_entries_without_a_known_moment_are_noted_where_there_are_any():
    history = make_history()
    history.note_unsure(None, STARTED + 9)
    assert history.journal_unsure.around(STARTED + 5) == (STARTED + 5, STARTED + 5)
    history.note_unsure(STARTED + 2, STARTED + 9)
    assert history.journal_unsure.around(STARTED + 5) == (STARTED + 2, STARTED + 9)


def test_moments_of_the_journal_that_may_be_too_early_are_so_for_as_long_as_they_are_remembered():
    history = make_history(seconds=60)
    history.note_early(0.25, STARTED)
    history.note_early(0.5, STARTED + 1)
    history.note_early(0.125, STARTED + 2)
    assert history.journal_early[0] == 0.5
    history.note_early(0.0, STARTED + 61)
    assert history.journal_early[0] == 0.5
    history.note_early(0.0, STARTED + 62)
    assert history.journal_early[0] == 0.0
