"""A clock that the test turns, and a journal on it."""

from __future__ import annotations

import pytest

from tests.streams.broker.journal.journals import Journal
from tests.streams.clocks import HandClock


@pytest.fixture
def journal(hands: HandClock) -> Journal:
    """A journal with one entry, which was read; a second has passed since."""
    journal = Journal(hands)
    journal.add("first")
    journal.catch_up()
    hands.turn(1)
    journal.read()
    return journal
