from __future__ import annotations

import random

import pytest

from streams.delivery.notices import EVICTED_RETRY_MS, FAREWELLS, RETRY_MS, UNAUTHORIZED_RETRY_MS, Notices, draw
from streams.errors import CloseReason
from streams.history.coverage import Gap, GapReason
from tests.streams.clocks import STARTED, WALL_AHEAD, HandClock
from tests.support.event_stream import EventStreamParser, ServerSentEvent


@pytest.fixture
def notices() -> Notices:
    return Notices("pod-1", HandClock().clock)


def read(frame: bytes) -> tuple[ServerSentEvent, int | None]:
    """Return the one event of a frame, and the delay that it sets before a reconnect."""
    parser = EventStreamParser()
    (event,) = parser.feed(frame)
    return event, parser.retry_ms


def test_greeting_is_a_message_that_says_when_to_come_back(notices: Notices):
    event, retry_ms = read(notices.greeting("STORE001-LANE01", WALL_AHEAD + STARTED - 1))
    assert (event.type, event.last_event_id) == ("message", "")
    assert event.data == (
        '{"type":"connected","clientName":"STORE001-LANE01","podName":"pod-1","timestamp":"2023-11-14T22:29:59.000Z"}'
    )
    assert retry_ms is not None
    assert RETRY_MS[0] <= retry_ms <= RETRY_MS[1]


@pytest.mark.parametrize("reason", FAREWELLS)
def test_farewell_has_a_name_that_clients_know_and_the_reason(notices: Notices, reason: CloseReason):
    event, retry_ms = read(notices.farewell(reason))
    assert event.type in ("evicted", "overloaded", "draining", "unauthorized")
    assert event.json() == {
        "type": event.type,
        "reason": reason.value,
        "podName": "pod-1",
        "timestamp": "2023-11-14T22:30:00.000Z",
    }
    low, high = EVICTED_RETRY_MS if reason in (CloseReason.EVICTED, CloseReason.DUEL) else RETRY_MS
    assert retry_ms is not None
    assert low <= retry_ms <= high
    assert read(notices.farewell(reason, 12_345))[1] == 12_345


@pytest.mark.parametrize("reason", set(CloseReason) - FAREWELLS.keys())
def test_farewell_has_no_word_for_who_reads_nothing(notices: Notices, reason: CloseReason):
    with pytest.raises(KeyError):
        notices.farewell(reason)


def test_gap_is_told_in_the_time_of_the_wall(notices: Notices):
    event, retry_ms = read(notices.gap(Gap(GapReason.REDIS_OUTAGE, STARTED - 10, STARTED - 5), None))
    assert (event.type, retry_ms, event.last_event_id) == ("stream-gap", None, "")
    assert event.json() == {
        "type": "stream-gap",
        "reason": "redis-outage",
        "lastEventId": None,
        "from": "2023-11-14T22:29:50.000Z",
        "to": "2023-11-14T22:29:55.000Z",
        "podName": "pod-1",
        "timestamp": "2023-11-14T22:30:00.000Z",
    }


def test_gap_of_an_id_names_it_and_may_have_no_beginning(notices: Notices):
    event, _ = read(notices.gap(Gap(GapReason.EXPIRED, None, STARTED), "é\n"))
    assert (event.json()["from"], event.json()["lastEventId"]) == (None, "é\n")


def test_draw_reaches_both_bounds_and_nothing_beyond():
    random.seed(1)
    assert {draw((1, 3)) for _ in range(200)} == {1, 2, 3}
    assert draw((5, 5)) == 5


@pytest.mark.parametrize(
    ("reason", "bounds"),
    [(CloseReason.TOKEN_EXPIRED, UNAUTHORIZED_RETRY_MS), (CloseReason.OVERLOADED, RETRY_MS)],
)
def test_refusal_of_an_expired_token_asks_to_stay_away_for_longer(
    notices: Notices, reason: CloseReason, bounds: tuple[int, int]
):
    event, retry_ms = read(notices.refusal(reason))
    assert event.json()["reason"] == reason
    assert retry_ms is not None
    assert bounds[0] <= retry_ms <= bounds[1]


def test_expiring_says_when(notices: Notices):
    event, retry_ms = read(notices.expiring(WALL_AHEAD + STARTED + 60))
    assert (event.type, retry_ms) == ("token-expiring", None)
    assert event.json() == {
        "type": "token-expiring",
        "expiresAt": "2023-11-14T22:31:00.000Z",
        "podName": "pod-1",
        "timestamp": "2023-11-14T22:30:00.000Z",
    }
