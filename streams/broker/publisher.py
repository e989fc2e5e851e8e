"""publish() and apublish(), for whoever has Redis' address."""

from __future__ import annotations

import asyncio
import functools
from datetime import timedelta
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings

from streams.broker import clients
from streams.broker.journal.reader import EVENT_FIELD, JOURNAL_LENGTH, JOURNAL_SUFFIX
from streams.conf import StreamSettings
from streams.wire.moments import Moment, whole_milliseconds, written_moment
from streams.wire.publication import Outgoing, new_event_id
from streams.wire.timestamps import now_iso


class Receipt(NamedTuple):
    """What is known of a published event.

    `receivers` is how many pods Redis handed it to, or None where it went into the
    journal; `log_id` is then its place there, or None.
    """

    event_id: str
    receivers: int | None
    log_id: str | None


def publish(
    client_name: str,
    action: str,
    data: Any = None,
    *,
    event_id: str | None = None,
    timestamp: Moment | None = None,
    ttl: timedelta | None = None,
    ttl_ms: int | None = None,
    deliver_by: Moment | None = None,
    durable: bool = False,
) -> Receipt:
    """Publish one event to the pods.

    `data` is anything that JSON can hold; `event_id` is drawn at random unless given.
    `ttl`, in milliseconds `ttl_ms`, or `deliver_by` sets a deadline after which no pod writes it. Times are an
    aware datetime, ISO 8601, or epoch milliseconds. A `durable` event goes into the journal, which pods read
    on from where they were; any other is lost on pods that do not hear it at this moment.
    Raises InvalidEvent where the event must be changed, RedisUnavailable where Redis did
    not take it, and of these PublishUnknown where it may have.
    """
    return send(_outgoing(client_name, action, data, event_id, timestamp, ttl, ttl_ms, deliver_by), durable=durable)


async def apublish(
    client_name: str,
    action: str,
    data: Any = None,
    *,
    event_id: str | None = None,
    timestamp: Moment | None = None,
    ttl: timedelta | None = None,
    ttl_ms: int | None = None,
    deliver_by: Moment | None = None,
    durable: bool = False,
) -> Receipt:
    """Publish one event as publish() does, without blocking the event loop."""
    event = _outgoing(client_name, action, data, event_id, timestamp, ttl, ttl_ms, deliver_by)
    words = command(event, durable=durable)
    url, client = settings.STREAMS.redis_url, _async_client()
    with clients.link_errors(url):
        await client.connection_pool.release(await client.connection_pool.get_connection())  # type: ignore[no-untyped-call]
    with clients.answer_errors(url, event.event_id, event.timestamp):
        return receipt(event, await client.execute_command(*words))  # type: ignore[no-untyped-call]


def send(event: Outgoing, *, durable: bool) -> Receipt:
    """Publish an event that is there as a whole; raises what publish() does."""
    words = command(event, durable=durable)
    url, client = settings.STREAMS.redis_url, _client()
    with clients.link_errors(url):
        # What fails before there is a connection was surely not taken.
        client.connection_pool.release(client.connection_pool.get_connection())
    with clients.answer_errors(url, event.event_id, event.timestamp):
        return receipt(event, client.execute_command(*words))  # type: ignore[no-untyped-call]


def command(event: Outgoing, *, durable: bool) -> tuple[str | bytes | int, ...]:
    """Return the command that gives an event to Redis; raises InvalidEvent."""
    conf: StreamSettings = settings.STREAMS
    message = event.encode(conf.max_event_bytes)
    if durable:
        return "XADD", conf.redis_channel + JOURNAL_SUFFIX, "MAXLEN", "~", JOURNAL_LENGTH, "*", EVENT_FIELD, message
    return "PUBLISH", conf.redis_channel, message


def receipt(event: Outgoing, reply: Any) -> Receipt:
    """Return what Redis' reply to an event's command says: a count of pods, or a place in the journal."""
    if isinstance(reply, bytes):
        return Receipt(event.event_id, None, reply.decode())
    return Receipt(event.event_id, int(reply), None)


def _outgoing(
    client_name: str,
    action: str,
    data: Any,
    event_id: str | None,
    timestamp: Moment | None,
    ttl: timedelta | None,
    ttl_ms: int | None,
    deliver_by: Moment | None,
) -> Outgoing:
    return Outgoing(
        client_name,
        action,
        data,
        new_event_id() if event_id is None else event_id,
        now_iso() if timestamp is None else written_moment(timestamp, "timestamp"),
        ttl_ms if ttl is None else whole_milliseconds(ttl, ttl_ms),
        written_moment(deliver_by, "deliverBy"),
    )


@functools.cache
def _client() -> redis.Redis:
    return clients.blocking_client(settings.STREAMS.redis_url)


# A connection belongs to the event loop that opened it.
_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def _async_client() -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        client = _async_clients[loop] = clients.async_client(settings.STREAMS.redis_url)
    return client
