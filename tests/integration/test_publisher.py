"""publish() and apublish() to a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import msgspec
import pytest
import redis

from streams.broker import clients, publisher
from streams.broker.publisher import Receipt, apublish, publish
from streams.conf import StreamSettings
from streams.errors import InvalidEvent, PublishUnknown, RedisUnavailable
from tests.support.http import TIMESTAMP
from tests.support.pods import environment, run_python
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import eventually

Publish = Callable[..., Awaitable[Receipt]]


async def publish_in_thread(*arguments: Any, **options: Any) -> Receipt:
    return await asyncio.to_thread(publish, *arguments, **options)


@pytest.fixture
def listener(redis_server: RedisServer) -> Iterator[redis.client.PubSub]:
    with redis_server.listening() as listener:
        yield listener


def heard(listener: redis.client.PubSub, client: str) -> dict[str, Any]:
    """Return the next event for a client; other tests publish on the channel too."""
    while True:
        message = listener.get_message(timeout=5)
        assert message is not None, "nothing was published"
        if message["type"] == "message" and f'"{client}"'.encode() in message["data"]:
            event: dict[str, Any] = json.loads(message["data"])
            return event


both = pytest.mark.parametrize("put", [publish_in_thread, apublish], ids=["publish", "apublish"])


@both
async def test_publishes_the_message_of_the_channel(
    put: Publish, conf: StreamSettings, listener: redis.client.PubSub, client_name: str
):
    receipt = await put(client_name, "payment", {"amount": 99.99, "text": "ü\n"})
    assert receipt.receivers is not None
    assert receipt.receivers >= 1
    event = heard(listener, client_name)
    assert list(event) == ["clientName", "action", "eventId", "timestamp", "data"]
    assert event["eventId"] == receipt.event_id
    assert TIMESTAMP.fullmatch(event["timestamp"])
    assert (event["action"], event["data"]) == ("payment", {"amount": 99.99, "text": "ü\n"})


@both
async def test_takes_id_and_timestamp(
    put: Publish, conf: StreamSettings, listener: redis.client.PubSub, client_name: str
):
    receipt = await put(client_name, "alert", event_id="evt-1", timestamp="2026-01-05T12:00:00.000Z")
    assert receipt.event_id == "evt-1"
    event = heard(listener, client_name)
    assert (event["eventId"], event["timestamp"]) == ("evt-1", "2026-01-05T12:00:00.000Z")


@both
async def test_takes_times_as_python_has_them(
    put: Publish, conf: StreamSettings, listener: redis.client.PubSub, client_name: str
):
    noon = datetime(2026, 1, 5, 13, tzinfo=timezone(timedelta(hours=1)))
    closing = datetime(2026, 1, 5, 22, tzinfo=UTC)
    await put(client_name, "alert", timestamp=noon, ttl=timedelta(minutes=1), deliver_by=closing)
    event = heard(listener, client_name)
    assert event["timestamp"] == "2026-01-05T12:00:00.000Z"
    assert (event["ttlMs"], event["deliverBy"]) == (60_000, "2026-01-05T22:00:00.000Z")


@both
async def test_says_when_nobody_listens(put: Publish, conf: StreamSettings, settings: Any, client_name: str):
    settings.STREAMS = msgspec.structs.replace(conf, redis_channel="nobody-listens")
    assert (await put(client_name, "alert")).receivers == 0


async def test_many_at_once(conf: StreamSettings, listener: redis.client.PubSub, client_name: str):
    receipts = await asyncio.gather(*(apublish(client_name, "alert", number) for number in range(50)))
    assert {heard(listener, client_name)["eventId"] for _ in range(50)} == {receipt.event_id for receipt in receipts}


@both
async def test_a_server_that_is_away_is_named(put: Publish, conf: StreamSettings, settings: Any):
    port = free_port()
    settings.STREAMS = msgspec.structs.replace(conf, redis_url=f"redis://user:secret@127.0.0.1:{port}")
    publisher._client.cache_clear()
    try:
        with pytest.raises(RedisUnavailable) as refused:
            await put("a", "alert")
    finally:
        publisher._client.cache_clear()
    assert f"127.0.0.1:{port}" in str(refused.value)
    assert not isinstance(refused.value, PublishUnknown), "there was no connection that could have taken it"
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@both
@pytest.mark.parametrize("durable", [True, False], ids=["journal", "channel"])
async def test_without_an_answer_it_is_not_known_whether_redis_took_it(
    put: Publish, durable: bool, conf: StreamSettings, settings: Any, mortal_redis: RedisServer, monkeypatch: Any
):
    """Redis that stands still takes what is in its socket when it goes on: nobody may say that it did not."""
    mortal_redis.start()
    settings.STREAMS = msgspec.structs.replace(conf, redis_url=mortal_redis.url)
    client = clients.blocking_client(mortal_redis.url, reply_seconds=0.2)
    monkeypatch.setattr(publisher, "_client", lambda: client)
    async_client = clients.async_client(mortal_redis.url, reply_seconds=0.2)
    monkeypatch.setattr(publisher, "_async_client", lambda: async_client)
    await put("a", "alert")
    mortal_redis.freeze()
    try:
        with pytest.raises(PublishUnknown) as unknown:
            await put("a", "alert", event_id="evt-retry", durable=durable)
    finally:
        mortal_redis.thaw()
    assert unknown.value.event_id == "evt-retry"
    assert "not known whether it took the event" in str(unknown.value)
    assert "did not take" not in str(unknown.value)
    if durable:
        log = f"{conf.redis_channel}:log"
        await eventually("the event to be taken all the same", lambda: mortal_redis.client.xlen(log))
        ((_id, fields),) = cast("Any", mortal_redis.client.xrange(log))
        message = json.loads(fields[b"event"])
        assert (message["eventId"], message["timestamp"]) == ("evt-retry", unknown.value.timestamp)
    client.close()
    await async_client.aclose()


@both
async def test_what_redis_refuses_was_surely_not_taken(
    put: Publish, conf: StreamSettings, settings: Any, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    settings.STREAMS = msgspec.structs.replace(conf, redis_url=mortal_redis.url)
    mortal_redis.client.set(f"{conf.redis_channel}:log", "no stream")
    publisher._client.cache_clear()
    try:
        with pytest.raises(RedisUnavailable, match="WRONGTYPE") as refused:
            await put(client_name, "alert", durable=True)
    finally:
        publisher._client.cache_clear()
    assert not isinstance(refused.value, PublishUnknown)


def test_both_can_be_called_from_a_plain_script(redis_server: RedisServer, client_name: str):
    script = f"""
import asyncio, os
os.environ["DJANGO_SETTINGS_MODULE"] = "sseproject.settings"
import django
django.setup()
from streams.broker.publisher import apublish, publish
print(publish({client_name!r}, "alert", event_id="1").event_id)
for number in (2, 3):
    print(asyncio.run(apublish({client_name!r}, "alert", event_id=str(number))).event_id)
print(publish({client_name!r}, "alert", event_id="4").event_id)
"""
    finished = run_python("-c", script, env=environment(REDIS_URL=redis_server.url))
    assert finished.stdout.split() == ["1", "2", "3", "4"], finished.stderr
    assert finished.stderr == ""


@both
async def test_a_durable_event_goes_into_the_log(put: Publish, conf: StreamSettings, client_name: str):
    receipt = await put(client_name, "payment", {"amount": 1}, durable=True, ttl_ms=60_000)
    assert receipt.receivers is None
    assert receipt.log_id is not None
    with redis.Redis.from_url(conf.redis_url) as client:
        ((_id, fields),) = client.xrange(f"{conf.redis_channel}:log", receipt.log_id, receipt.log_id)
    event = json.loads(fields[b"event"])
    assert event["eventId"] == receipt.event_id
    assert event["ttlMs"] == 60_000


@both
@pytest.mark.parametrize("wrong", [{"ttl_ms": 0}, {"ttl_ms": True}, {"deliver_by": "tomorrow"}])
async def test_refuses_a_deadline_that_is_none(put: Publish, client_name: str, wrong: dict[str, object]):
    with pytest.raises(InvalidEvent):
        await put(client_name, "payment", **wrong)
