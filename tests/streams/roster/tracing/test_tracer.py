"""What a pod tells others of clients, and what others tell it."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from streams.delivery.registry import Registry
from streams.errors import CloseReason
from streams.history.messages import History
from streams.roster.messages import Told, Traced
from streams.roster.tracing import questions
from streams.roster.tracing.questions import Ask
from streams.roster.tracing.tracer import MAX_BATCH, MAX_NAMES, Tracer
from tests.streams.builders import connect


class Room:
    """A tracer, and what it told to whom."""

    def __init__(self, registry: Registry) -> None:
        self.told: list[tuple[str, Told]] = []
        self.tracer = Tracer(registry, History(300, 2**20, 100, started=0.0), "ours", "ch", 50, self.told.extend)
        self.tracer.clock.note(1_700_000_000.0, 1.0, 1.001)
        self.recorder = self.tracer.recorder


@pytest.fixture
def room(registry: Registry) -> Room:
    return Room(registry)


def test_tracer_closes_what_another_pod_asks_to_close(registry: Registry, room: Room):
    connection, writer = connect(registry, "a")
    other, _ = connect(registry, "b")
    room.tracer.told(Told("theirs", "pod-2", close=["a", "nobody"]))
    assert connection.close_reason is CloseReason.OPERATOR
    assert writer.types == ["message", "evicted"]
    assert other.close_reason is None


def test_tracer_closes_here_at_once_and_tells_all(registry: Registry, room: Room):
    names = [f"c{number}" for number in range(MAX_NAMES + 1)]
    connection, _ = connect(registry, "c3")
    room.tracer.close_everywhere(names)
    assert connection.close_reason is CloseReason.OPERATOR
    assert [(life, len(told.close)) for life, told in room.told] == [("", MAX_NAMES), ("", 1)]
    # What comes back to it would end the stream of a client that has come again.
    again, _ = connect(registry, "c3")
    room.tracer.told(room.told[0][1])
    assert again.close_reason is None


async def test_tracer_asks_all_and_takes_their_answers(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(questions, "ANSWER_SECONDS", 0.02)
    assert await room.tracer.ask("a", set()) == {}
    ((life, asked),) = room.told
    assert (life, asked.asks) == ("", [Ask(1, "a")])


async def test_tracer_answers_who_asked(room: Room):
    room.tracer.told(Told("theirs", "pod-2", asks=[Ask(7, "a"), Ask(8, "b")]))
    ((life, told),) = room.told
    assert (life, told.life, [answer.number for answer in told.answers]) == ("theirs", "ours", [7, 8])


def test_tracer_does_not_answer_before_it_knows_the_time(room: Room):
    room.tracer.clock.ahead = 0.0
    room.tracer.told(Told("theirs", "pod-2", asks=[Ask(7, "a")]))
    assert room.told == []


def test_tracer_traces_with_all_others(room: Room):
    room.tracer.trace("a", 60.0)
    assert room.recorder.traced == {"a"}
    assert [(life, told.traces) for life, told in room.told] == [("", [Traced("a", 60.0)])]
    room.tracer.told(Told("theirs", "pod-2", traces=[Traced("a", 0.0), Traced("b", 60.0)]))
    assert room.recorder.traced == {"b"}


def refusing(error: Exception) -> Any:
    async def script(args: list[Any]) -> None:
        raise error

    return script


async def test_tracer_keeps_what_a_link_that_failed_may_not_have_taken(registry: Registry, room: Room):
    connection, _ = connect(registry, "a")
    room.recorder.opened(connection)
    for error in (redis.ConnectionError("gone"), redis.ReadOnlyError("a replica now")):
        with pytest.raises(redis.RedisError):
            await room.tracer.write(refusing(error))
    taken: list[list[Any]] = []

    async def script(args: list[Any]) -> None:
        taken.append(args)

    assert await room.tracer.write(script)
    assert not await room.tracer.write(script)
    assert len(taken) == 1


async def test_tracer_drops_what_redis_refuses(registry: Registry, room: Room, caplog: pytest.LogCaptureFixture):
    connection, _ = connect(registry, "a")
    for _ in range(2):
        room.recorder.opened(connection)
        assert await room.tracer.write(refusing(redis.ResponseError("OOM")))
    assert (room.tracer.refused, room.tracer.errors) == (2, 2)
    assert [record.message for record in caplog.records if "entries are lost" in record.message] == [
        "The recorder's entries are lost: Redis refuses them (OOM; batches: 1)"
    ]


async def test_tracer_writes_so_much_at_once(registry: Registry, room: Room):
    for number in range(MAX_BATCH + 1):
        connection, _ = connect(registry, f"c{number}")
        room.recorder.opened(connection)
    sizes: list[int] = []

    async def script(args: list[Any]) -> None:
        sizes.append(len(args[1]))

    while await room.tracer.write(script):
        pass
    assert len(sizes) == 2
