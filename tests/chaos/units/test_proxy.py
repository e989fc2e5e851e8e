"""The proxy knows what each connection is for, and loses just what it is told to lose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import hiredis
import pytest
import redis.asyncio

from tests.chaos.proxy import Kind, PodLink, Recognizer
from tests.support.redis_server import CHANNEL, RedisServer
from tests.support.waiting import eventually

SETNAME = ("CLIENT", "SETNAME", "sse-pod-1")
JOURNAL = "proxied:log"
# Long enough for what was published before to have come, were it to come.
NOTHING_SECONDS = 0.3


def packed(*commands: tuple[str, ...]) -> bytes:
    return b"".join(hiredis.pack_command(command) for command in commands)


@pytest.mark.parametrize(
    ("commands", "kind"),
    [
        ([SETNAME, ("PSUBSCRIBE", "x:canary:*"), ("SUBSCRIBE", "x")], Kind.SUBSCRIPTION),
        ([("subscribe", "x")], Kind.SUBSCRIPTION),
        ([("HELLO", "3"), ("TIME",), ("INFO", "server"), ("XREAD", "STREAMS", "x", "0")], Kind.JOURNAL),
        ([("XREAD", "STREAMS", "x", "0"), ("SUBSCRIBE", "x")], Kind.JOURNAL),
        ([("PUBLISH", "SUBSCRIBE", "XREAD"), ("XRANGE", "x", "-", "+")], Kind.COMMANDS),
        ([], Kind.COMMANDS),
    ],
    ids=["subscription", "lower-case", "journal", "first-counts", "words-in-arguments", "nothing"],
)
@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_recognizer_kind_by_first_telling_command(commands: list[tuple[str, ...]], kind: Kind, piece: int):
    data, recognizer = packed(*commands), Recognizer()
    for start in range(0, len(data), piece):
        recognizer.feed(data[start : start + piece])
    assert recognizer.kind is kind


def test_recognizer_kind_is_known_with_the_command_and_not_before():
    recognizer = Recognizer()
    assert recognizer.feed(packed(SETNAME)) is Kind.COMMANDS
    assert recognizer.feed(packed(("SUBSCRIBE", "x"))[:-1]) is Kind.COMMANDS
    assert recognizer.feed(b"\n") is Kind.SUBSCRIPTION


def test_recognizer_takes_what_is_no_command():
    recognizer = Recognizer()
    assert recognizer.feed(b"GET / HTTP/1.1\r\n\r\n") is Kind.COMMANDS
    assert recognizer.feed(packed(("XREAD", "STREAMS", "x", "0"))) is Kind.COMMANDS


@pytest.fixture
async def link(redis_server: RedisServer) -> AsyncIterator[PodLink]:
    redis_server.client.delete(JOURNAL)
    async with PodLink(redis_server.port) as link:
        yield link


def connect(link: PodLink) -> Any:
    """Return a client of the link that tries nothing twice."""
    return redis.asyncio.Redis.from_url(f"redis://127.0.0.1:{link.port}", retry=None)


class Readers:
    """What a pod has open: a subscription and a blocking read of a journal."""

    def __init__(self, link: PodLink) -> None:
        self._link = link
        # A connection for each, as pods have.
        self._journal_client = connect(link)
        self._client = connect(link)
        self.pubsub = self._client.pubsub()
        self.journal: asyncio.Task[list[bytes]] | None = None

    async def open(self) -> None:
        await self.pubsub.subscribe(CHANNEL)
        self.journal = asyncio.create_task(self._read_journal())
        await eventually("both to be known", lambda: [self._link.count(kind) for kind in Kind] == [1, 1, 0])
        while await self.message() is not None:
            pass

    async def close(self) -> None:
        # Whatever the test left behind, nobody waits for an answer.
        self._link.reset(*Kind)
        assert self.journal is not None
        self.journal.cancel()
        await asyncio.gather(self.journal, return_exceptions=True)
        await self.pubsub.aclose()
        await self._client.aclose()
        await self._journal_client.aclose()

    async def message(self) -> bytes | None:
        received: dict[str, Any] | None = await self.pubsub.get_message(timeout=NOTHING_SECONDS)
        return received["data"] if received else None

    async def _read_journal(self) -> list[bytes]:
        reply = await self._journal_client.execute_command("XREAD", "BLOCK", "10000", "STREAMS", JOURNAL, "$")
        (entries,) = reply.values() if isinstance(reply, dict) else [part for _key, part in reply]
        return [fields for _entry_id, fields in entries]


@pytest.fixture
async def readers(link: PodLink) -> AsyncIterator[Readers]:
    readers = Readers(link)
    await readers.open()
    yield readers
    await readers.close()


async def test_link_passes_everything_on(readers: Readers, redis_server: RedisServer):
    redis_server.publish("one")
    redis_server.client.xadd(JOURNAL, {"event": "two"})
    assert await readers.message() == b"one"
    assert readers.journal is not None
    assert len(await readers.journal) == 1


async def test_link_swallows_one_kind_only(link: PodLink, readers: Readers, redis_server: RedisServer):
    link.swallow(Kind.JOURNAL)
    redis_server.client.xadd(JOURNAL, {"event": "two"})
    redis_server.publish("one")
    assert await readers.message() == b"one"
    assert readers.journal is not None
    assert not readers.journal.done()
    assert [link.count(kind) for kind in Kind] == [1, 1, 0], "half-open is still open"
    link.restore()
    with pytest.raises((redis.RedisError, OSError)):
        await readers.journal
    assert link.count(Kind.SUBSCRIPTION) == 1, "the other kind goes on"


async def test_link_swallows_a_subscription(link: PodLink, readers: Readers, redis_server: RedisServer):
    link.swallow(Kind.SUBSCRIPTION)
    redis_server.publish("lost")
    redis_server.client.xadd(JOURNAL, {"event": "two"})
    assert readers.journal is not None
    assert len(await readers.journal) == 1
    assert await readers.message() is None
    link.restore()
    with pytest.raises((redis.RedisError, OSError)):
        await readers.message()


async def test_link_swallows_new_connections_of_the_kind(link: PodLink):
    link.swallow(Kind.SUBSCRIPTION)
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(packed(("PING",)))
    assert await reader.readline() == b"+PONG\r\n", "nobody knows yet what it is for"
    writer.write(packed(("SUBSCRIBE", CHANNEL)))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_SECONDS):
            await reader.readline()
    writer.transport.abort()


async def test_link_refuses_and_is_restored(link: PodLink):
    client = connect(link)
    assert await client.ping()
    link.refuse()
    for _ in range(2):
        with pytest.raises((redis.RedisError, OSError)):
            await client.ping()
    link.restore()
    assert await client.ping()
    await client.aclose()


async def test_link_resets_its_connections(link: PodLink, readers: Readers):
    link.reset(*Kind)
    assert readers.journal is not None
    with pytest.raises((redis.RedisError, OSError)):
        await readers.journal
    await eventually("Redis's side to be gone too", lambda: not link.passages)
