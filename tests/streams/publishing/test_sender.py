"""Requests on their way to a real Redis: in order, together, and what is known when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
import redis

from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.broker.primary import Primary
from streams.publishing import sender as module
from streams.publishing.publication import Draft
from streams.publishing.script import Fate, Outcome, read_outcomes
from streams.publishing.sender import Doubtful, NotTaken, Sender
from tests.streams.publishing.events import ready
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

# Instead of REPLY_SECONDS.
SOON = 0.3
T = TypeVar("T")
Begin = Callable[[RedisServer], Awaitable[Sender]]


@pytest.fixture
async def begin(client_name: str) -> AsyncIterator[Begin]:
    """Begin to publish, on a channel of the test's own."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(server: RedisServer) -> Sender:
            sender = Sender(server.url, client_name, primary=Primary(server.url), kept_seconds=60)
            await stack.enter_async_context(running(sender))
            return sender

        yield begin


@contextlib.asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(sender.run(), name="publishing")
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ZeroDivisionError):
            await task


def journal(server: RedisServer, channel: str) -> list[str]:
    entries: Any = server.client.xrange(channel + JOURNAL_SUFFIX)
    return [json.loads(fields[b"event"])["eventId"] for _place, fields in entries]


async def begun(*requests: Coroutine[Any, Any, T]) -> list[asyncio.Task[T]]:
    """Let requests begin, each behind the one before."""
    tasks = [asyncio.create_task(request) for request in requests]
    await asyncio.sleep(0)
    return tasks


async def test_publish_in_the_order_of_the_requests(begin: Begin, redis_server: RedisServer, client_name: str):
    sender = await begin(redis_server)
    ids = [f"e-{number}" for number in range(100)]
    outcomes = await asyncio.gather(*(sender.publish([ready(eventId=event_id)]) for event_id in ids))
    assert {outcome.fate for outcome in outcomes} == {Fate.TAKEN}
    assert journal(redis_server, client_name) == ids
    kept = await sender.record("e-7")
    assert kept is not None
    assert kept.record.event_id == "e-7"
    assert await sender.record("never") is None


async def test_requests_go_together_while_redis_is_busy(
    begin: Begin, redis_server: RedisServer, client_name: str, monkeypatch: pytest.MonkeyPatch
):
    sender = await begin(redis_server)
    replies: list[int] = []

    def noting(reply: Any, groups: Any) -> list[Outcome]:
        replies.append(len(groups))
        return read_outcomes(reply, groups)

    monkeypatch.setattr(module, "read_outcomes", noting)
    await sender.publish([ready()])
    requests = await begun(*(sender.publish([ready(eventId=f"e-{number}")]) for number in range(50)))
    await asyncio.gather(*requests)
    assert replies == [1, 50]


def take_all(sender: Sender) -> list[int]:
    taken = []
    while batch := sender._take():
        taken.append(sum(len(each.drafts) for each in batch))
    return taken


@pytest.mark.parametrize(
    ("requests", "taken"),
    [
        ([1] * 3, [3]),
        ([200, 200, 200], [400, 200]),
        ([500, 1], [500, 1]),
        ([1, 500], [1, 500]),
    ],
)
async def test_only_so_many_events_go_together(requests: list[int], taken: list[int]):
    sender = Sender("redis://127.0.0.1:1", "x", primary=Primary("redis://127.0.0.1:1"), kept_seconds=1)
    tasks = await begun(*(sender.publish([ready()] * count) for count in requests))
    assert take_all(sender) == taken
    for task in tasks:
        task.cancel()


async def test_only_so_many_bytes_go_together():
    sender = Sender("redis://127.0.0.1:1", "x", primary=Primary("redis://127.0.0.1:1"), kept_seconds=1)
    large = ready()._replace(message=b"x" * 600_000)
    tasks = await begun(*(sender.publish([large]) for _ in range(3)))
    assert take_all(sender) == [1, 1, 1]
    for task in tasks:
        task.cancel()


async def test_whoever_has_gone_is_not_served(redis_server: RedisServer, client_name: str):
    sender = Sender(redis_server.url, client_name, primary=Primary(redis_server.url), kept_seconds=60)
    first, gone, last = await begun(*(sender.publish([ready(eventId=event_id)]) for event_id in ("a", "b", "c")))
    gone.cancel()
    await asyncio.sleep(0)
    async with running(sender):
        await asyncio.gather(first, last)
    assert journal(redis_server, client_name) == ["a", "c"]


async def failing(sender: Sender, *drafts: Draft) -> type[Exception]:
    with pytest.raises((NotTaken, Doubtful)) as found:
        await sender.publish(drafts or [ready()])
    return found.type


async def test_redis_that_gives_no_answer_may_have_taken_what_was_sent(
    begin: Begin, mortal_redis: RedisServer, client_name: str, monkeypatch: pytest.MonkeyPatch
):
    """And surely not what waits behind it."""
    monkeypatch.setattr(module, "REPLY_SECONDS", SOON)
    mortal_redis.start()
    sender = await begin(mortal_redis)
    await sender.publish([ready(eventId="a")])
    mortal_redis.freeze()
    (sent,) = await begun(failing(sender, ready(eventId="b")))
    await eventually("it to be sent", lambda: not sender._waiting)
    (behind,) = await begun(failing(sender, ready(eventId="c")))
    await asyncio.wait([sent, behind], return_when=asyncio.FIRST_COMPLETED)
    # Both are told within one turn of the loop, or the next.
    await asyncio.sleep(0)
    assert behind.done(), "it need not wait for as long again"
    assert [await sent, await behind] == [Doubtful, NotTaken]
    assert await failing(sender, ready(eventId="d")) is NotTaken, "nor what a new connection would have sent"
    mortal_redis.thaw()

    async def again() -> None:
        while True:
            with contextlib.suppress(NotTaken, Doubtful):
                await sender.publish([ready(eventId="b")])
                return

    await asyncio.wait_for(again(), 10)
    assert journal(mortal_redis, client_name) == ["a", "b"]


async def test_redis_that_is_gone_took_nothing(begin: Begin, mortal_redis: RedisServer, client_name: str):
    mortal_redis.start()
    sender = await begin(mortal_redis)
    await sender.publish([ready()])
    mortal_redis.kill()
    # On a connection whose end is not seen yet it may have arrived.
    await failing(sender)
    assert await failing(sender) is NotTaken
    with pytest.raises(redis.ConnectionError):
        await sender.record("e-1")
    mortal_redis.start()
    await sender.publish([ready(eventId="b")])
    assert journal(mortal_redis, client_name) == ["b"]


async def test_what_redis_refuses_is_not_taken(begin: Begin, redis_server: RedisServer, client_name: str):
    sender = await begin(redis_server)
    redis_server.client.set(client_name + JOURNAL_SUFFIX, "no journal")
    assert await failing(sender) is NotTaken
    redis_server.client.delete(client_name + JOURNAL_SUFFIX)
    assert (await sender.publish([ready()])).fate is Fate.TAKEN


async def test_script_that_redis_forgot_is_loaded_again(begin: Begin, redis_server: RedisServer):
    sender = await begin(redis_server)
    await sender.publish([ready()])
    redis_server.client.script_flush()
    assert (await sender.publish([ready()])).fate is Fate.TAKEN


async def test_drop_connects_anew_and_loses_nothing(begin: Begin, redis_server: RedisServer, client_name: str):
    sender = await begin(redis_server)
    await sender.publish([ready(eventId="a")])
    client = sender._client
    requests = await begun(sender.publish([ready(eventId="b")]))
    sender.drop("another is the primary now")
    await asyncio.gather(*requests)
    sender.drop("and again")
    await eventually("another client", lambda: sender._client not in (client, None))
    await sender.publish([ready(eventId="c")])
    assert journal(redis_server, client_name) == ["a", "b", "c"]


async def test_no_record_is_known_before_there_is_a_connection():
    sender = Sender("redis://127.0.0.1:1", "x", primary=Primary("redis://127.0.0.1:1"), kept_seconds=1)
    with pytest.raises(redis.ConnectionError):
        await sender.record("e-1")


async def test_pod_that_stops_may_have_sent_it(mortal_redis: RedisServer, client_name: str):
    mortal_redis.start()
    sender = Sender(mortal_redis.url, client_name, primary=Primary(mortal_redis.url), kept_seconds=60)
    async with running(sender) as task:
        await sender.publish([ready()])
        mortal_redis.freeze()
        (sent,) = await begun(failing(sender))
        await eventually("it to be sent", lambda: not sender._waiting)
        task.cancel()
        assert await sent is Doubtful
        mortal_redis.thaw()


async def test_failure_of_our_own_is_no_answer(
    redis_server: RedisServer, client_name: str, monkeypatch: pytest.MonkeyPatch
):
    """The task ends with it, and its caller is not left waiting."""

    def failing_to_read(_reply: Any, _groups: Any) -> list[Outcome]:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "read_outcomes", failing_to_read)
    sender = Sender(redis_server.url, client_name, primary=Primary(redis_server.url), kept_seconds=60)
    async with running(sender) as task:
        assert await failing(sender) is Doubtful
        with pytest.raises(ZeroDivisionError):
            await task
