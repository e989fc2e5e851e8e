from __future__ import annotations

from streams.delivery.connection import Connection
from streams.delivery.turnover import ENDS_KEPT, ConnectionEnd, Turnover
from streams.errors import CloseReason
from tests.streams.builders import Recorder
from tests.streams.clocks import WALL_AHEAD, HandClock


def test_note_end_keeps_what_an_operator_may_know(hands: HandClock):
    turnover = Turnover(hands.clock)
    connection = Connection("a", Recorder(), "h:1", user_agent="Lane/2.0", clock=hands.clock)
    connection.event_count = 3
    ended_at = hands.turn(5) + WALL_AHEAD
    end = turnover.note_end(connection, CloseReason.OPERATOR)
    assert end == ConnectionEnd("a", "h:1", "Lane/2.0", ended_at, 5, 3, CloseReason.OPERATOR)
    assert list(turnover.ended) == [end]


def test_note_end_counts_by_reason_and_bytes(hands: HandClock):
    turnover = Turnover(hands.clock)
    for reason in (CloseReason.EVICTED, CloseReason.EVICTED, CloseReason.DRAINING):
        connection = Connection("a", Recorder(), clock=hands.clock)
        connection.bytes_written = 100
        turnover.note_end(connection, reason)
    assert turnover.closed == {CloseReason.EVICTED: 2, CloseReason.DRAINING: 1}
    assert (turnover.opened, turnover.bytes_closed) == (0, 300)


def test_note_end_keeps_the_last_ones_only(hands: HandClock):
    turnover = Turnover(hands.clock)
    for number in range(ENDS_KEPT + 1):
        turnover.note_end(Connection(f"c{number}", Recorder(), clock=hands.clock), CloseReason.CLIENT_CLOSED)
    assert len(turnover.ended) == ENDS_KEPT
    assert turnover.ended[0].client_name == "c1"
    assert turnover.closed.total() == ENDS_KEPT + 1
