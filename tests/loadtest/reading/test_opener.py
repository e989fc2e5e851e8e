"""The opener: so many connections at a time, and each has its time."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from loadtest.plan import Plan
from loadtest.reading import opener as opener_module
from loadtest.reading.opener import Opener
from loadtest.reading.stream import Stream
from loadtest.reading.tally import Tally
from tests.support.redis_server import free_port

CLIENTS = range(3, 8)


class Opened:
    """An opener on a port that takes connections, and what it began."""

    def __init__(self, plan: Plan) -> None:
        self.opener = Opener(plan, CLIENTS, [Tally() for _ in CLIENTS])
        self.streams: list[Stream] = []
        self.codes: list[int] = []

    def start(self) -> list[int]:
        """Begin what may begin; return whose connections these are."""
        begun = list(self.opener.started())
        self.streams += [stream for stream, _ in begun]
        self.codes += [code for _, code in begun]
        return [stream.index for stream, _ in begun]

    def close(self) -> None:
        for stream in self.streams:
            stream.socket.close()


@pytest.fixture
def plan() -> Iterator[Plan]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Plan(url=f"http://127.0.0.1:{server.getsockname()[1]}", connections=8, concurrency=2)


@pytest.fixture
def opened(plan: Plan) -> Iterator[Opened]:
    opened = Opened(plan)
    yield opened
    opened.close()


def test_opener_gives_the_next_a_turn_when_one_is_done(opened: Opened):
    opened.opener.begin(CLIENTS, 2)
    assert opened.start() == [3, 4]
    assert opened.start() == []
    opened.opener.end(opened.streams[0])
    assert opened.start() == [5]
    assert set(opened.codes) <= {0, errno.EINPROGRESS}


def test_opener_ends_once_all_are_open_or_have_failed(opened: Opened):
    opened.opener.begin(CLIENTS, len(CLIENTS))
    assert not opened.opener.ends()
    opened.start()
    assert not opened.opener.ends()
    for stream in opened.streams:
        opened.opener.end(stream)
    assert opened.opener.is_opening
    assert opened.opener.ends()
    assert not opened.opener.is_opening


def test_opener_writes_each_client_its_own_request(opened: Opened, plan: Plan):
    opened.opener.begin([4], 1)
    opened.start()
    assert opened.opener.request(opened.streams[0]).startswith(f"GET /events/{plan.client_name(4)} ".encode())


def test_opener_finds_those_whose_time_is_over(plan: Plan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opener_module, "SWEEP_SECONDS", 0.0)
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    opened = Opened(replace(plan, timeout_seconds=10.0))
    opened.opener.begin([3], 2)
    opened.start()
    now[0] += 5
    opened.opener.begin([4], 2)
    opened.start()
    now[0] += 5
    assert opened.opener.overdue() == opened.streams[:1]
    opened.close()


def test_opener_gives_what_the_kernel_said_of_a_connection_that_failed(plan: Plan, monkeypatch: pytest.MonkeyPatch):
    def refuse(_self: socket.socket, _address: object) -> int:
        raise OSError(errno.EADDRNOTAVAIL, "no port is left")

    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    opened = Opened(replace(plan, url=f"http://127.0.0.1:{free_port()}"))
    opened.opener.begin([3], 1)
    opened.start()
    assert opened.codes == [errno.EADDRNOTAVAIL]
    opened.close()


def test_opener_forgets_who_waits(opened: Opened):
    opened.opener.begin(CLIENTS, 1)
    opened.start()
    opened.opener.clear()
    assert opened.start() == []
    assert opened.opener.ends()
