from __future__ import annotations

import logging

import pytest

from streams.wire.complaints import Complaints, Fault
from tests.streams.clocks import HandClock


@pytest.fixture
def complaints(hands: HandClock) -> Complaints:
    return Complaints(hands.clock)


def test_note_counts_by_kind(complaints: Complaints):
    complaints.note(Fault.UNUSABLE, b"x", "no JSON")
    complaints.note(Fault.UNUSABLE, b"y", "no JSON")
    complaints.note(Fault.MISNAMED, b"z", "no name")
    complaints.note(Fault.NO_DEADLINE, b"z", "no time")
    assert complaints.counts == {Fault.UNUSABLE: 2, Fault.MISNAMED: 1, Fault.NO_DEADLINE: 1}
    assert complaints.skipped == 3


def test_note_writes_the_first_of_each_kind_at_once(complaints: Complaints, caplog: pytest.LogCaptureFixture):
    complaints.note(Fault.UNUSABLE, b"{" * 1000, ValueError("no JSON"))
    complaints.note(Fault.MISNAMED, b"\n", "no name")
    assert caplog.messages == [
        f"Skipped 1 unusable message(s); the latest begins {b'{' * 80!r}: no JSON",
        "Skipped 1 event(s) for a name that no client can have; the latest begins b'\\n': no name",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_burst_ends_with_its_count_though_no_other_comes(
    complaints: Complaints, hands: HandClock, caplog: pytest.LogCaptureFixture
):
    for number in range(5):
        complaints.note(Fault.UNUSABLE, b"%d" % number, "no JSON")
    complaints.write_due()
    assert len(caplog.messages) == 1
    hands.turn(1.0)
    complaints.write_due()
    complaints.write_due()
    hands.turn(1.0)
    complaints.write_due()
    assert caplog.messages[1:] == ["Skipped 4 unusable message(s); the latest begins b'4': no JSON"]
    complaints.note(Fault.UNUSABLE, b"5", "no JSON")
    assert len(caplog.messages) == 3, "after a quiet second the next is news again"
