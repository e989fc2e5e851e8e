from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from streams.server.readiness import Readiness
from streams.server.transport import Transport

# A client's end, and the one that was accepted here.
Ends = tuple[socket.socket, socket.socket]


class Reactor:
    """What Twisted still asks of its reactor."""

    def removeWriter(self, _transport: Transport) -> None:  # noqa: N802
        pass


class Client(Protocol):  # type: ignore[misc]
    """Keeps what is read, and why the connection ended."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Queue[Failure] = asyncio.Queue()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.received.put_nowait(data)
        if data == b"poison":
            raise ValueError(data)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        self.lost.put_nowait(reason)

    async def reason(self) -> Any:
        return (await asyncio.wait_for(self.lost.get(), 5)).type


@pytest.fixture
def ends() -> Iterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname(), timeout=5)
        ours, _ = listening.accept()
    with theirs, ours:
        yield theirs, ours


@pytest.fixture
async def client(ends: Ends) -> Client:
    client, ours = Client(), ends[1]
    readiness = Readiness(asyncio.get_running_loop())
    client.makeConnection(Transport(readiness, ours, client, ours.getpeername(), None, 0, Reactor()))
    return client


async def test_what_a_client_sends_is_read_until_it_closes(ends: Ends, client: Client):
    ends[0].send(b"hello")
    assert await asyncio.wait_for(client.received.get(), 5) == b"hello"
    ends[0].close()
    assert await client.reason() is ConnectionDone
    assert ends[1].fileno() == -1, "its descriptor is given back"


async def test_a_client_that_resets_its_connection_is_lost(ends: Ends, client: Client):
    # A reset instead of an orderly end.
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ends[0].close()
    assert await client.reason() is ConnectionLost


async def test_a_client_whose_bytes_cannot_be_served_is_cut_and_the_reason_logged(
    ends: Ends, client: Client, caplog: pytest.LogCaptureFixture
):
    ends[0].send(b"poison")
    assert await client.reason() is ValueError
    assert "cannot be read" in caplog.text
    assert ends[0].recv(1) == b""


async def test_the_client_sees_the_end_of_a_connection_that_is_closed_here(ends: Ends, client: Client):
    client.transport.connectionLost(Failure(ConnectionDone()))
    client.transport.connectionLost(Failure(ConnectionDone()))
    assert ends[0].recv(1) == b""
    assert client.lost.qsize() == 1


async def test_a_connection_that_is_aborted_is_reset(ends: Ends, client: Client):
    client.transport.connectionLost(Failure(ConnectionAborted()))
    with pytest.raises(ConnectionResetError):
        ends[0].recv(1)


async def test_a_connection_that_is_not_read_leaves_what_comes_in_the_kernel(ends: Ends, client: Client):
    client.transport.stopReading()
    ends[0].send(b"later")
    await asyncio.sleep(0)
    assert ends[1].recv(5, socket.MSG_PEEK) == b"later"
    assert client.received.empty()
    client.transport.startReading()
    assert await asyncio.wait_for(client.received.get(), 5) == b"later"


async def test_its_own_address_is_the_one_that_was_reached(ends: Ends, client: Client):
    assert client.transport.getHost() == IPv4Address("TCP", *ends[1].getsockname())
