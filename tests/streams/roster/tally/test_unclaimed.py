"""Which events no pod delivered, as it follows from what pods claim."""

from __future__ import annotations

import pytest

from streams.roster.reading.held import Tallied
from streams.roster.reading.states import LIFE_MS, Beat, View
from streams.roster.tally import unclaimed
from streams.roster.tally.decisions import SETTLE_MS
from streams.roster.tally.unclaimed import (
    COPIES_MS,
    GIVE_UP_MS,
    LATE_MS,
    QUIET_SECONDS,
    WAIT_MS,
    Claim,
    Named,
    Window,
    Windows,
    count_unclaimed,
    free_since,
    is_settled,
)

NOW = 1_700_000_000_000
BEGAN = NOW - 3_600_000
WINDOW = Window(NOW - 9_000, NOW - 8_000, NOW - 9_500, 0, 10, 0)
TALLIED = Tallied("history-1", BEGAN)
ALIVE, DEAD = Beat(NOW - 4_000, "pod-1"), Beat(NOW - 60_000, "pod-2")
VIEW = View(NOW, BEGAN, 120_000, {"alive": ALIVE, "dead": DEAD})


def test_windows_have_what_was_read_in_them():
    windows = Windows()
    windows.close(NOW, 5, 1_500)
    windows.close(NOW + 1_000, 8, 300)
    windows.close(NOW + 2_000, 8, 0)
    assert windows.due() is None
    windows.close(NOW + 1_000 + WAIT_MS, 9, 0)
    assert windows.due() == Window(NOW, NOW + 1_000, NOW - 1_500, 5, 8, 5)
    windows.done()
    assert windows.due() is None
    windows.close(NOW + 2_000 + WAIT_MS, 9, 0)
    assert windows.due() == Window(NOW + 1_000, NOW + 2_000, NOW + 700, 8, 8, 5)


def test_windows_know_how_far_copies_go_back():
    windows = Windows()
    for second in range(31):
        windows.close(NOW + 1_000 * second, second, 0)
    while (window := windows.due()) is not None:
        windows.done()
        last = window
    seconds = (WAIT_MS + 1_000) // 1_000
    assert (last.first, last.copies_from) == (30 - seconds, 30 - seconds - COPIES_MS // 1_000)


def test_windows_are_over_and_forgotten():
    windows = Windows()
    windows.forget()
    windows.close(NOW, 0, 0)
    windows.close(NOW + 1_000, 1, 0)
    windows.close(NOW + 2_000, 2, 0)
    windows.close(NOW + 1_000 + GIVE_UP_MS, 3, 0)
    first = windows.due()
    assert first is not None
    assert windows.is_over(first)
    windows.forget()
    second = windows.due()
    assert second is not None
    assert (second.until, windows.is_over(second)) == (NOW + 2_000, False)


def test_windows_begin_anew_with_another_clock():
    windows = Windows()
    windows.close(NOW, 0, 0)
    windows.close(NOW + 1_000, 1, 0)
    windows.close(NOW - 60_000, 2, 0)
    windows.close(NOW - 59_000, 3, 0)
    windows.close(NOW - 59_000 + WAIT_MS, 4, 0)
    window = windows.due()
    assert window is not None
    assert (window.since, window.first, window.end) == (NOW - 60_000, 2, 3)


@pytest.mark.parametrize(
    ("view", "tallied", "pods", "settled"),
    [
        (VIEW, TALLIED, 1, True),
        # One that this pod hears is not in the roster, or not yet.
        (VIEW, TALLIED, 2, False),
        # It may have clients that it has not said.
        (VIEW._replace(pods={"silent": Beat(WINDOW.until), "alive": ALIVE}), TALLIED, 1, False),
        (VIEW._replace(pods={"dead": DEAD}), TALLIED, 0, False),
        (VIEW, Tallied(), 1, False),
        (VIEW, TALLIED._replace(coming="history-2"), 1, False),
    ],
)
def test_is_settled(view: View, tallied: Tallied, pods: int, settled: bool):
    assert is_settled(WINDOW, view, tallied, pods) is settled


@pytest.mark.parametrize(
    ("claim", "since"),
    [
        (Claim(None, None), BEGAN + SETTLE_MS),
        (Claim(None, f"{NOW - 20_000} client-closed pod-1"), NOW - 20_000),
        (Claim(f"alive 3 {NOW - 20_000}", None), None),
        # It was elsewhere when the event came; it may have been given it in a replay.
        (Claim(f"alive 3 {NOW - 1_000}", f"{NOW - 20_000} evicted pod-1"), None),
        (Claim(f"dead 3 {NOW - 90_000}", f"{NOW - 95_000} evicted pod-1"), DEAD.at + LIFE_MS),
        (Claim(f"unheard 3 {NOW - 90_000}", None), None),
        (Claim("of another version", None), None),
    ],
)
def test_free_since(claim: Claim, since: int | None):
    assert free_since(claim, VIEW) == since


def test_count_unclaimed_counts_what_came_while_nobody_was_there():
    came = [("a", NOW - 8_500), ("a", NOW - 8_400), ("b", NOW - 8_300), ("c", NOW - 8_200)]
    # A client that left when this pod may still have been behind had it perhaps.
    free = {"a": WINDOW.after - 1, "b": WINDOW.after}
    assert count_unclaimed(came, free, WINDOW) == {"a": 2}


def test_count_unclaimed_leaves_out_what_was_read_anew():
    """A pod that starts reads the journal of the last minutes, and others have counted that."""
    came = [("a", WINDOW.since - LATE_MS - 1), ("a", WINDOW.since - LATE_MS)]
    assert count_unclaimed(came, {"a": 0}, WINDOW) == {"a": 1}
    # One of the journal has the moment at which Redis took it.
    assert count_unclaimed(came, {"a": WINDOW.since - LATE_MS}, WINDOW) == {}


def test_named_says_each_client_once_a_minute():
    named = Named()
    assert named.due({"a": 2}, 0.0) == [("a", 2)]
    assert named.due({"a": 3, "b": 1}, 1.0) == [("b", 1)]
    assert named.due({"a": 4}, QUIET_SECONDS - 0.1) == []
    assert named.due({"a": 1}, QUIET_SECONDS) == [("a", 8)]
    # What is left is said without another event; then it is forgotten.
    assert named.due({"a": 1}, QUIET_SECONDS + 2.0) == []
    assert named.due({}, 2 * QUIET_SECONDS) == [("a", 1)]
    assert named.due({}, 4 * QUIET_SECONDS) == []
    assert named.due({"a": 5}, 4 * QUIET_SECONDS) == [("a", 5)]


def test_named_says_in_one_line_what_there_is_no_room_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unclaimed, "MAX_NAMED", 2)
    named = Named()
    assert named.due({"a": 1, "b": 1, "c": 2, "d": 3}, 0.0) == [("a", 1), ("b", 1), ("", 5)]
    assert named.due({"c": 4, "e": 1}, 1.0) == []
    assert named.due({"c": 1}, QUIET_SECONDS) == [("", 5), ("c", 1)]
