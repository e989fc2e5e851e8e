"""Which server a connection of redis-py is to, asked when it opens; real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import redis
import redis.asyncio

from streams.broker import clients
from streams.broker.primary import Primary, WrongSide
from tests.support.links.relay import Relay
from tests.support.redis_server import RedisServer, running_redis

USER, PASSWORD = "pod", "secret"


class Connection:
    """Notes why it is to be left."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def drop(self, reason: str) -> None:
        self.reasons.append(reason)


@pytest.fixture
def old() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def new(old: RedisServer) -> Iterator[RedisServer]:
    with running_redis() as server:
        server.replicate(old)
        yield server


@pytest.fixture
async def relay(old: RedisServer) -> AsyncIterator[Relay]:
    async with Relay([old.port]) as relay:
        yield relay


def client_of(primary: Primary, url: str) -> redis.asyncio.Redis:
    return clients.async_client(url, on_open=primary.open)


async def test_open_passes_a_primary_and_refuses_a_replica(old: RedisServer, new: RedisServer):
    moves: list[float] = []
    primary = Primary(old.url, on_moved=moves.append)
    async with client_of(primary, old.url) as client:
        assert await client.ping()
    async with client_of(primary, new.url) as client:
        with pytest.raises(WrongSide, match=f"its primary is 127.0.0.1:{old.port}"):
            await client.ping()
    assert moves == []


class Leaving(Connection):
    """One that cannot be left a second time."""

    def drop(self, reason: str) -> None:
        raise RuntimeError("it is leaving already")


async def test_open_tells_all_others_where_another_redis_answers(old: RedisServer, new: RedisServer, relay: Relay):
    moves: list[float] = []
    url = f"redis://127.0.0.1:{relay.port}"
    primary, connection = Primary(url, on_moved=moves.append), Connection()
    primary.connections += [Leaving(), connection]
    async with client_of(primary, url) as client:
        assert await client.ping()
        known_at = asyncio.get_running_loop().time()
        await asyncio.to_thread(new.promote)
        relay.targets = [new.port]
        relay.cut_all()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        # It connects anew by itself, and what it was to say is not said there.
        with pytest.raises(WrongSide):
            await client.set("said", "1")
        assert not new.client.exists("said")
        assert await client.ping()
    assert connection.reasons == ["another Redis answers there now"]
    (since,) = moves
    assert since <= known_at


async def test_open_says_once_that_nothing_may_be_asked(old: RedisServer, caplog: pytest.LogCaptureFixture):
    old.client.acl_setuser(USER, enabled=True, passwords=[f"+{PASSWORD}"], commands=["+ping"])
    url = f"redis://{USER}:{PASSWORD}@127.0.0.1:{old.port}"
    primary = Primary(url)
    for _ in range(2):
        async with client_of(primary, url) as client:
            assert await client.ping()
    (record,) = caplog.records
    assert "cannot be known" in record.getMessage()


async def test_open_asks_info_where_role_is_refused(old: RedisServer, new: RedisServer):
    new.client.acl_setuser(USER, enabled=True, passwords=[f"+{PASSWORD}"], commands=["+ping", "+info"])
    url = f"redis://{USER}:{PASSWORD}@127.0.0.1:{new.port}"
    async with client_of(Primary(url), url) as client:
        with pytest.raises(WrongSide):
            await client.ping()
