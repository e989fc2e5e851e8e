from __future__ import annotations

import asyncio
import contextlib

import pytest

from streams.delivery.connection import Connection
from streams.delivery.duels.probes import ANSWER_SECONDS, Probes
from streams.errors import CloseReason
from tests.streams.builders import Recorder
from tests.streams.clocks import HandClock
from tests.support.waiting import eventually


class Client:
    """One connection, what its writer says, and what was decided of it."""

    def __init__(self, hands: HandClock) -> None:
        self.writer = Recorder()
        self.connection = Connection("a", self.writer)
        self.probes = Probes(self._write, hands.clock)
        self.decided: list[bool] = []

    def _write(self, connection: Connection, frame: bytes) -> None:
        connection.writer.write(frame)

    def ask(self) -> None:
        self.probes.ask(self.connection, self.decided.append)


@pytest.fixture
def client(hands: HandClock) -> Client:
    return Client(hands)


def test_ask_finds_a_machine_that_acknowledges_since(client: Client, hands: HandClock):
    client.writer.silent = 5.0
    client.ask()
    assert client.writer.written.startswith(b":"), "a comment, which no client sees"
    hands.turn(0.5)
    client.writer.silent = 5.5
    client.probes.settle()
    assert client.decided == []
    client.writer.silent = 0.25
    client.probes.settle()
    client.probes.settle()
    assert client.decided == [True]


def test_ask_gives_up_a_machine_that_acknowledges_nothing(client: Client, hands: HandClock):
    client.ask()
    client.writer.silent = hands.turn(ANSWER_SECONDS - 0.125)
    client.probes.settle()
    assert client.decided == []
    hands.turn(0.125)
    client.probes.settle()
    assert client.decided == [False]


def test_ask_is_decided_when_the_client_leaves(client: Client, hands: HandClock):
    client.ask()
    client.connection.close_reason = CloseReason.CLIENT_CLOSED
    client.probes.settle()
    assert client.decided == [False]


def test_ask_writes_once_for_all_who_wait(client: Client, hands: HandClock):
    client.ask()
    written = client.writer.written
    client.ask()
    assert client.writer.written == written
    hands.turn(0.125)
    client.probes.settle()
    assert client.decided == [True, True]


def test_settle_goes_on_after_a_failure(client: Client, hands: HandClock, caplog: pytest.LogCaptureFixture):
    def fail(_answers: bool) -> None:
        raise RuntimeError("no place")

    client.probes.ask(client.connection, fail)
    client.ask()
    hands.turn(0.125)
    client.probes.settle()
    assert client.decided == [True]
    assert "What became of a newcomer for a failed" in caplog.text


async def test_run_looks_for_answers_until_cancelled(client: Client, hands: HandClock):
    client.writer.silent = 1.0
    running = asyncio.create_task(client.probes.run())
    for answers in (1, 2):
        await asyncio.sleep(0)
        client.ask()
        hands.turn(2.0)
        await eventually("the answer", lambda answers=answers: len(client.decided) == answers)  # type: ignore[misc]
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert client.decided == [True, True]
