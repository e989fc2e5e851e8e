from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from streams.server.readiness import Readiness


class Reader:
    """One end of a connection, which keeps what it reads."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.received: list[bytes] = []
        self.reads = asyncio.Event()

    def read(self) -> None:
        self.received.append(self.end.recv(100))
        self.reads.set()

    async def next(self) -> bytes:
        await asyncio.wait_for(self.reads.wait(), 5)
        self.reads.clear()
        return self.received[-1]


class Closer(Reader):
    """One that closes another when it is read."""

    def __init__(self, end: socket.socket, readiness: Readiness, other: Reader) -> None:
        super().__init__(end)
        self.readiness = readiness
        self.other = other

    def read(self) -> None:
        super().read()
        self.readiness.closing(self.other.end.fileno())
        self.other.end.close()


@pytest.fixture
async def readiness() -> Readiness:
    return Readiness(asyncio.get_running_loop())


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(2)]
    yield made
    for ends in made:
        for end in ends:
            end.close()


Pairs = list[tuple[socket.socket, socket.socket]]


async def test_a_connection_is_read_as_often_as_something_comes(readiness: Readiness, pairs: Pairs):
    (ours, theirs), _ = pairs
    reader = Reader(ours)
    readiness.add(ours.fileno(), reader)
    readiness.add(ours.fileno(), reader)
    for said in (b"one", b"two"):
        theirs.send(said)
        assert await reader.next() == said


async def test_a_connection_that_ends_is_read_too(readiness: Readiness, pairs: Pairs):
    (ours, theirs), _ = pairs
    reader = Reader(ours)
    readiness.add(ours.fileno(), reader)
    theirs.close()
    assert await reader.next() == b""
    readiness.remove(ours.fileno())


async def test_a_connection_that_is_left_alone_keeps_what_came_until_it_is_watched_again(
    readiness: Readiness, pairs: Pairs
):
    (ours, theirs), (watched, beside) = pairs
    reader, witness = Reader(ours), Reader(watched)
    readiness.add(ours.fileno(), reader)
    readiness.add(watched.fileno(), witness)
    readiness.remove(ours.fileno())
    readiness.remove(ours.fileno())
    theirs.send(b"early")
    beside.send(b"late")
    assert await witness.next() == b"late"
    assert reader.received == []
    readiness.add(ours.fileno(), reader)
    assert await reader.next() == b"early"


async def test_a_connection_that_another_one_closed_is_not_read(readiness: Readiness, pairs: Pairs):
    (ours, theirs), (watched, beside) = pairs
    closed = Reader(watched)
    closer = Closer(ours, readiness, closed)
    readiness.add(ours.fileno(), closer)
    readiness.add(watched.fileno(), closed)
    theirs.send(b"first")
    beside.send(b"second")
    assert await closer.next() == b"first"
    assert closed.received == []


async def test_a_connection_with_the_descriptor_of_one_that_was_closed_is_watched(readiness: Readiness, pairs: Pairs):
    (ours, _), _ = pairs
    descriptor = ours.fileno()
    readiness.add(descriptor, Reader(ours))
    readiness.closing(descriptor)
    ours.close()
    new, theirs = socket.socketpair()
    with new, theirs:
        assert new.fileno() == descriptor
        reader = Reader(new)
        readiness.add(descriptor, reader)
        theirs.send(b"new")
        assert await reader.next() == b"new"
        readiness.remove(descriptor)
