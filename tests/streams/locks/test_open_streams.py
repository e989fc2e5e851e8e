from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from streams.auth.results import Result
from streams.auth.revocations import Revocation, Revocations
from streams.auth.rights import Holder
from streams.delivery.connection import Connection, both
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from streams.locks import open_streams
from streams.locks.open_streams import OpenStreams
from tests.streams.builders import Recorder, make_registry
from tests.streams.clocks import HandClock

WARN, LEEWAY = 60, 30


class Room(NamedTuple):
    clock: HandClock
    registry: Registry
    revocations: Revocations
    streams: OpenStreams

    def open(self, name: str, seconds: float | None, sub: str = "", **facts: Any) -> tuple[Connection, Recorder]:
        """Open a stream whose token ends so many seconds from now, or one without."""
        writer = Recorder()
        connection = Connection(name, writer, clock=self.clock.clock)
        if seconds is not None:
            connection.holder = Holder(sub or name, expires_at=self.clock.clock.wall() + seconds, **facts)
        self.registry.open(connection, [])
        return connection, writer

    def later(self, seconds: float) -> None:
        self.clock.turn(seconds)
        self.streams.look()


def make_room(warn_seconds: float = WARN, *, subscribed: bool = True, **options: Any) -> Room:
    clock, revocations = HandClock(), Revocations()
    registry = make_registry(clock=clock.clock, subscribed=subscribed)
    streams = OpenStreams(
        registry, revocations, warn_seconds=warn_seconds, leeway_seconds=LEEWAY, wall=clock.clock.wall, **options
    )
    registry.on_open = both(registry.on_open, streams.opened)
    registry.on_close = both(streams.closed, registry.on_close)
    return Room(clock, registry, revocations, streams)


@pytest.fixture
def room() -> Room:
    return make_room()


def test_look_warns_once_and_ends_after_the_leeway(room: Room):
    connection, writer = room.open("a", 600)
    room.later(539)
    assert writer.types == ["message"]
    for _second in range(3):
        room.later(1)
    assert writer.types == ["message", "token-expiring"]
    assert writer.events[1].json() == {
        "type": "token-expiring",
        "expiresAt": "2023-11-14T22:40:00.000Z",
        "podName": "pod-1",
        "timestamp": "2023-11-14T22:39:00.000Z",
    }
    room.later(87)
    assert len(room.registry) == 1
    room.later(1)
    assert (connection.close_reason, writer.types[-1]) == (CloseReason.TOKEN_EXPIRED, "unauthorized")
    assert len(room.streams) == 0


def test_stream_is_not_warned_where_that_is_off():
    room = make_room(warn_seconds=0)
    connection, writer = room.open("a", 600)
    room.later(629)
    assert len(room.registry) == 1
    assert writer.types == ["message"]
    room.later(1)
    assert connection.close_reason is CloseReason.TOKEN_EXPIRED


def test_stream_that_is_not_greeted_is_warned_behind_its_greeting():
    room = make_room(subscribed=False)
    _connection, writer = room.open("a", 30)
    room.later(1)
    assert writer.types == []
    room.registry.subscribed = True
    room.registry.greet_waiting(1)
    room.later(1)
    assert writer.types == ["message", "token-expiring"]


def test_token_that_ends_while_its_stream_waits_for_redis():
    room = make_room(subscribed=False)
    connection, writer = room.open("a", 10)
    room.later(41)
    assert (connection.close_reason, writer.types) == (CloseReason.TOKEN_EXPIRED, ["unauthorized"])


def test_stream_without_a_token_stays(room: Room):
    connection, _writer = room.open("a", None)
    room.revocations.add(Revocation(room.clock.clock.wall() + 60, sub="a", issued_before=9e9), 0)
    room.streams.end_revoked()
    room.later(1e9)
    assert (len(room.streams), connection.close_reason) == (0, None)
    assert room.streams.renew(connection, Holder("b")), "an observer's device renews in vain, and is told nothing of it"


def test_renew_moves_the_end_and_the_warning(room: Room):
    connection, writer = room.open("a", 100)
    room.later(50)
    ends_at = room.clock.clock.wall() + 1000
    assert room.streams.renew(connection, Holder("a", expires_at=ends_at))
    room.later(200)
    assert writer.types == ["message", "token-expiring"]
    room.later(750)
    assert writer.types == ["message", "token-expiring", "token-expiring"]
    room.later(81)
    assert connection.close_reason is CloseReason.TOKEN_EXPIRED


def test_renew_refuses_another_sub(room: Room):
    connection, _writer = room.open("a", 100, sub="till")
    assert not room.streams.renew(connection, Holder("thief", expires_at=9e9))
    room.later(131)
    assert connection.close_reason is CloseReason.TOKEN_EXPIRED


def test_end_revoked_ends_those_alone(room: Room):
    now = room.clock.clock.wall()
    by_id, writer = room.open("a", 600, jti="stolen")
    by_holder, _writer = room.open("b", 600, sub="till", issued_at=now - 60)
    younger, _writer = room.open("c", 600, sub="till", issued_at=now)
    room.revocations.add(Revocation(now + 60, jti="stolen"), now)
    room.revocations.add(Revocation(now + 60, sub="till", issued_before=now), now)
    room.streams.end_revoked()
    revoked = CloseReason.TOKEN_REVOKED
    assert [each.close_reason for each in (by_id, by_holder, younger)] == [revoked, revoked, None]
    assert writer.events[-1].json()["reason"] == "token-revoked"


def test_stream_whose_token_was_revoked_on_its_way_in_ends_with_the_next_round(room: Room):
    """As one that waits for its name while another device is asked for it."""
    now = room.clock.clock.wall()
    room.revocations.add(Revocation(now + 600, jti="stolen"), now)
    waited, writer = room.open("a", 600, jti="stolen")
    renewed, _writer = room.open("b", 600, sub="till")
    assert room.streams.renew(renewed, Holder("till", "stolen", expires_at=now + 900))
    room.later(1)
    assert [waited.close_reason, renewed.close_reason] == [CloseReason.TOKEN_REVOKED] * 2
    assert writer.types == ["message", "unauthorized"]


def test_a_fleet_whose_tokens_end_at_once_ends_over_some_rounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_streams, "MAX_AT_ONCE", 2)
    room = make_room(warn_seconds=0)
    for number in range(5):
        room.open(f"lane-{number}", 10)
    room.later(40)
    assert len(room.registry) == 3
    for _second in range(2):
        room.later(1)
    assert len(room.registry) == 0


def test_clock_that_is_set_back_ends_nothing(room: Room):
    connection, _writer = room.open("a", 100)
    room.clock.set_wall(-50)
    room.later(100)
    assert connection.close_reason is None
    room.later(80)
    assert connection.close_reason is CloseReason.TOKEN_EXPIRED


def test_stream_that_cannot_be_warned_is_closed_alone(room: Room, monkeypatch: pytest.MonkeyPatch):
    first, _writer = room.open("a", 100)
    _second, writer = room.open("b", 100)
    write = room.registry.write

    def fail_for_first(connection: Connection, frame: bytes) -> None:
        if connection is first:
            raise OSError("the socket is gone")
        write(connection, frame)

    monkeypatch.setattr(room.registry, "write", fail_for_first)
    room.later(41)
    assert first.close_reason is CloseReason.FAILED
    assert writer.types == ["message", "token-expiring"]


def test_stream_that_does_not_end_with_its_token_is_said_once():
    lost: list[tuple[str, Result]] = []
    renewed: list[str] = []
    room = make_room(
        ends=False,
        on_lost=lambda connection, result: lost.append((connection.client_name, result)),
        on_renewed=lambda connection: renewed.append(connection.client_name),
    )
    connection, writer = room.open("a", 100)
    room.open("b", 600, jti="stolen")
    for seconds in (41, 90, 60):
        room.later(seconds)
    assert writer.types == ["message", "token-expiring"]
    assert lost == [("a", Result.EXPIRED)]
    now = room.clock.clock.wall()
    room.revocations.add(Revocation(now + 600, jti="stolen"), now)
    for _again in range(2):
        room.streams.end_revoked()
    assert lost == [("a", Result.EXPIRED), ("b", Result.REVOKED)]
    assert len(room.registry) == 2
    assert not room.streams.renew(connection, Holder("thief", expires_at=9e9))
    assert room.streams.renew(connection, Holder("a", expires_at=now + 10))
    assert renewed == ["a"]
    room.later(41)
    assert lost[2:] == [("a", Result.EXPIRED)]
