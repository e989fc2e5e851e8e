"""What happens to a journal, drawn at random: whatever comes, nothing is lost in silence."""

from __future__ import annotations

import random

import pytest

from tests.streams.broker.journal.journals import Journal
from tests.streams.clocks import HandClock


@pytest.mark.parametrize("seed", range(10))
def test_every_entry_is_read_or_told_as_lost(seed: int):
    """Trims, restarts, lost connections, a journal begun anew, answers that come late, in any order."""
    chosen = random.Random(seed)
    for _ in range(60):
        hands = HandClock()
        journal, taken_at = Journal(hands), {}
        journal.add("0")
        journal.catch_up()
        for number in range(1, 60):
            hands.turn(chosen.choice((0, 0.125, 0.5, 1, 3)))
            kind = chosen.random()
            if kind < 0.5:
                for part in range(chosen.choice((1, 1, 3, 20))):
                    taken_at[f"{number}.{part}"] = hands.now
                    journal.add(f"{number}.{part}")
            elif kind < 0.85:
                journal.read(late=chosen.choice((0, 0, 0.125, 1)))
            elif kind < 0.9 and journal.cursor.position is not None:
                # Without a position nothing shows what came and went.
                journal.trim(chosen.choice((1, 3, 10)))
            elif kind < 0.93 and journal.cursor.position is not None:
                journal.clear()
                if chosen.random() < 0.5:
                    # In the millisecond of the last entry it may get the same id.
                    taken_at[f"{number}"] = hands.now
                    journal.add(f"{number}")
            elif kind < 0.95:
                journal.connect()
            elif journal.cursor.position is not None:
                journal.restart(keep=chosen.randrange(len(journal.entries) + 1))
                hands.turn(1)
                journal.connect()
        for _ in range(20):
            hands.turn(1)
            journal.read()
        got = set(journal.got)
        silent = [message for message, moment in taken_at.items() if message not in got and not journal.tells(moment)]
        assert not silent
        early = [message for message, moment in journal.moments.items() if moment > taken_at.get(message, 1e9)]
        assert not early, "no moment is later than the true one"
