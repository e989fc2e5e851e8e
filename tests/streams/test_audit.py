"""Sentences about what was changed."""

from __future__ import annotations

from streams.audit import LANES_NAMED, closed, expects, sent, sent_together


def test_closed_claims_no_more_than_is_known():
    assert closed("A-1") == "closed the stream of A-1"
    assert closed("A-1", "offline") == "asked for the end of A-1, which was offline"


def test_sent_keeps_what_is_from_outside_in_quotes():
    assert sent("A-1", "alert", "evt-1") == "sent A-1 an event, alert evt-1"
    assert sent("A-1", "al\nert", "evt 1") == 'sent A-1 an event, "al\\nert" "evt 1"'
    assert sent_together(3) == "sent 3 event(s) in one request"


def test_expects_names_the_first_lanes():
    lanes = [f"A-{number}" for number in range(LANES_NAMED + 1)]
    assert expects("A", lanes[:2]) == "said which lanes the store A has: 2, A-0, A-1"
    assert expects("A", lanes).endswith("A-9…")
    assert expects("", []) == "said which lanes the store (none) has: those that connect"
