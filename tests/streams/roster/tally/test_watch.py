"""What the pod that keeps the tally finds out about the events that no pod delivered, from a real roster."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import redis

from streams.history.messages import History
from streams.roster.tally import watch
from streams.roster.tally.commands import Commands
from streams.roster.tally.unclaimed import GIVE_UP_MS
from streams.roster.tally.watch import Watch
from streams.roster.tracing.clock import RedisClock
from tests.streams.builders import CHANNEL, connect, make_registry, message
from tests.streams.clocks import STARTED, HandClock
from tests.streams.roster.fleet import MINUTE, Fleet

# How long ago the events come in.
AGO = 12.0


class Room:
    """One pod's watch, on a clock that stands AGO seconds back at first."""

    def __init__(self, fleet: Fleet, now_ms: int, *, life: str = "tally", seconds: float = 300.0) -> None:
        self.hands = HandClock()
        self.registry = make_registry(clock=self.hands.clock)
        self.history = History(seconds, 1 << 20, 100, STARTED)
        self.pods = 1
        self.behind = 0.5
        redis_clock = RedisClock()
        redis_clock.ahead = now_ms / 1000 - AGO - STARTED
        self.watch = Watch(
            self.registry,
            self.history,
            redis_clock,
            behind=lambda: self.behind,
            pods=lambda: self.pods,
            clock=self.hands.clock,
        )
        self.commands = fleet.tally(life)[1]

    def hear(self, *names: str) -> None:
        """Read an event for each name within the next second."""
        self.watch.tick()
        self.hands.turn(0.5)
        for name in names:
            self.history.extend([name], [message(name, self.history.end)], self.hands.now, CHANNEL)
        self.hands.turn(0.5)
        self.watch.tick()

    async def look(self, seconds: float = AGO - 1) -> int:
        """Look when some seconds have passed; return how many events are unclaimed by then."""
        self.hands.turn(seconds)
        self.watch.tick()
        await self.watch.look(self.commands)
        return self.watch.unclaimed


@pytest.fixture
async def room(fleet: Fleet) -> Room:
    await fleet.beat("one")
    await fleet.connect("one", "S-here", "S-left", "S-leaves", ago=MINUTE)
    await fleet.end("one", "S-left", ago=MINUTE / 2)
    await fleet.began()
    return Room(fleet, await fleet.now_ms())


def refusing(error: Exception) -> Any:
    async def refuse(*_arguments: Any) -> None:
        raise error

    return refuse


async def test_watch_counts_the_events_of_clients_that_nobody_has(fleet: Fleet, room: Room):
    connect(room.registry, "S-ours")
    room.hear("S-ours", "S-here", "S-left", "S-left", "S-leaves", "never-seen", "S-here")
    await fleet.end("one", "S-leaves")
    assert await room.look() == 3
    assert await room.look(1.0) == 3
    assert room.watch.unchecked == 0


async def test_watch_says_each_client_in_the_log(room: Room, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    room.hear("S-left", "S-left")
    await room.look()
    (record,) = [record for record in caplog.records if record.name == "sse.sse"]
    assert record.message == "Nobody was connected as S-left: 2 event(s) reached no client"
    assert vars(record)["fields"] == {"clientName": "S-left", "events": 2}


async def test_watch_waits_for_what_pods_have_not_said_yet(fleet: Fleet, room: Room):
    """A pod that is silent may have had the client; when it is given up it had not."""
    await fleet.beat("silent", ago=AGO + 1)
    room.hear("S-left")
    assert await room.look() == 0
    await fleet.beat("silent", ago=MINUTE)
    assert await room.look(1.0) == 1
    assert room.watch.unchecked == 0


async def test_watch_waits_for_pods_that_are_not_in_the_roster(room: Room):
    room.pods = 2
    room.hear("S-left", "S-left", "S-here")
    assert await room.look() == 0
    assert room.watch.unchecked == 0
    # Nobody will ever know.
    assert await room.look(GIVE_UP_MS / 1000) == 0
    assert room.watch.unchecked == 3
    assert await room.look(1.0) == 0
    assert room.watch.unchecked == 3


async def test_watch_counts_nothing_in_a_redis_that_is_new(fleet: Fleet, room: Room):
    await fleet.age(AGO + 5)
    room.hear("S-left", "never-seen")
    assert await room.look() == 0


@pytest.mark.parametrize("kind", ["here", "seen"])
async def test_watch_counts_beside_a_foreign_key(fleet: Fleet, room: Room, kind: str):
    """Whether somebody had a client of that store nobody can say; the others are counted as ever."""
    key = fleet.hash(kind, "T-1")
    await fleet.client.set(key, "foreign")
    room.hear("S-left", "T-1", "never-seen")
    assert await room.look() == 2
    assert (room.watch.errors, room.watch.unchecked) == (0, 0)
    assert room.commands.foreign == {key}


async def test_watch_counts_an_event_on_one_pod_alone(fleet: Fleet, room: Room):
    """Where another takes over it goes on behind what its predecessor has counted."""
    room.hear("S-left")
    assert await room.look() == 1
    commands = fleet.tally("tally")[1]
    await commands.resign()
    await fleet.round("other")
    other = Room(fleet, await fleet.now_ms(), life="other")
    other.hear("S-left")
    assert await other.look() == 0
    other.hands.turn(-3.0)
    other.hear("S-left")
    assert await other.look() == 1
    # And one that does not keep the tally counts nothing.
    room.hands.turn(-3.0)
    room.hear("S-left")
    assert await room.look() == 1


async def test_watch_leaves_what_is_old_to_the_pod_that_kept_the_tally_then(room: Room):
    room.hear("S-left")
    room.hands.turn(GIVE_UP_MS / 1000)
    room.watch.tick()
    room.watch.forget()
    assert await room.look(1.0) == 0
    assert room.watch.unchecked == 0


async def test_watch_says_how_much_it_did_not_look_at(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch, "MAX_CLIENTS", 3)
    monkeypatch.setattr(watch, "MAX_ASKED", 2)
    room.hear(*(f"T-{number}" for number in range(5)), *(f"T-{number}" for number in range(5)))
    room.hear("T-0")
    assert await room.look(AGO - 2) == 6
    assert room.watch.unchecked == 4
    # The next second has its turn in the next round.
    assert await room.look(1.0) == 7


async def test_watch_does_nothing_without_a_history(fleet: Fleet):
    room = Room(fleet, await fleet.now_ms(), seconds=0)
    room.hear("S-left")
    room.watch.forget()
    await room.watch.look(room.commands)
    assert room.watch.unclaimed == 0


async def test_watch_lets_the_tally_go_on_where_redis_refuses_it(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(Commands, "read_claims", refusing(redis.ResponseError("OOM")))
    room.hear("S-left")
    assert await room.look() == 0
    assert room.watch.errors == 1
    assert "Nobody knows which events reached no client: OOM" in caplog.text
    for error in (redis.ReadOnlyError("a replica now"), redis.ConnectionError("gone")):
        monkeypatch.setattr(Commands, "read_claims", refusing(error))
        with pytest.raises(redis.RedisError):
            await room.watch.look(room.commands)
    monkeypatch.undo()
    assert await room.look(0.5) == 1


async def test_watch_takes_what_it_read_late_for_delivered(fleet: Fleet, room: Room):
    """A pod that is behind hears an event when its client, which had it, has left."""
    await fleet.end("one", "S-leaves", ago=AGO + 2)
    room.behind = 5.0
    room.hear("S-leaves", "S-left")
    assert await room.look() == 1
