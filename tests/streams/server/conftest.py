"""A reader of requests, and the server behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from streams.server.http_channel import RequestReader
from tests.streams.server.readers import Server, made_reader


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def reader(server: Server) -> Iterator[RequestReader]:
    reader = made_reader(server)
    yield reader
    reader.connectionLost(Failure(ConnectionDone()))
