"""Which lanes would be refused."""

from __future__ import annotations

import pytest

from streams.auth.decision import Decision
from streams.auth.results import Result
from streams.auth.rights import Holder
from streams.locks.refusals import Refusal, Refusals

NONE = Decision(Result.NONE, sentence="A token is needed.")
EXPIRED = Decision(Result.EXPIRED, sentence="The token has expired.")
OK = Decision(Result.OK, Holder(sub="A-1"))


def test_note_counts_and_keeps_the_last_reason():
    refusals = Refusals()
    refusals.note("A-1", NONE, 10.0)
    refusals.note("A-2", NONE, 11.0)
    refusals.note("A-1", EXPIRED, 12.0)
    assert refusals.listed() == [
        Refusal("A-1", Result.EXPIRED, "The token has expired.", 2, 12.0),
        Refusal("A-2", Result.NONE, "A token is needed.", 1, 11.0),
    ]
    assert refusals.listed(passed=True) == []


def test_note_of_a_lane_that_was_never_refused_keeps_nothing():
    refusals = Refusals()
    refusals.note("A-1", OK, 10.0)
    assert len(refusals) == 0


def test_note_of_a_lane_that_passes_and_of_two_devices_that_take_turns():
    refusals = Refusals()
    refusals.note("A-1", NONE, 10.0)
    refusals.note("A-1", OK, 10.0)
    assert refusals.listed() == []
    assert refusals.listed(passed=True) == [Refusal("A-1", Result.NONE, NONE.sentence, 1, 10.0, 10.0)]
    refusals.note("A-1", EXPIRED, 12.0)
    assert refusals.listed() == [Refusal("A-1", Result.EXPIRED, EXPIRED.sentence, 2, 12.0, 10.0)]


@pytest.mark.parametrize("again", [0, 1])
def test_lanes_without_room_are_forgotten_and_counted(again: int):
    """He goes who was refused longest ago."""
    refusals = Refusals(limit=2)
    for number in range(2):
        refusals.note(f"A-{number}", NONE, number)
    refusals.note(f"A-{again}", NONE, 5)
    refusals.note("A-2", NONE, 6)
    assert [each.client_name for each in refusals.listed()] == ["A-2", f"A-{again}"]
    assert (len(refusals), refusals.forgotten) == (2, 1)
