"""The only writer of events: publish() and apublish()."""

from __future__ import annotations

import asyncio
import functools
import secrets
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings

from streams.broker.journal import EVENT_FIELD, JOURNAL_LENGTH, JOURNAL_SUFFIX, LINK_ERRORS
from streams.conf import StreamSettings, redis_place
from streams.errors import RedisUnavailable
from streams.wire.events import encode_event
from streams.wire.timestamps import now_iso

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 5.0


class Receipt(NamedTuple):
    """What is known of a published event.

    `receivers` is how many pods Redis handed it to, or None where it went into the
    durable log; `log_id` is then its place there, or None.
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
    timestamp: str | None = None,
    ttl_ms: int | None = None,
    deliver_by: str | None = None,
    durable: bool = False,
) -> Receipt:
    """Publish one event to the pods.

    `data` is anything that JSON can hold; `event_id` is drawn at random unless given.
    `ttl_ms`, in milliseconds, or `deliver_by`, an ISO time, set a deadline after which no
    pod writes it. A `durable` event goes into the log, which pods read on from where they
    were; any other is lost on pods that do not hear it at this moment.
    Raises InvalidEvent where the event must be changed and RedisUnavailable where
    Redis did not take it.
    """
    event_id, message = _prepare(client_name, action, data, event_id, timestamp, ttl_ms, deliver_by)
    try:
        if durable:
            log_id: Any = _client().xadd(_log_key(), {EVENT_FIELD: message}, maxlen=JOURNAL_LENGTH, approximate=True)
            return Receipt(event_id, None, log_id.decode())
        return Receipt(event_id, int(_client().publish(settings.STREAMS.redis_channel, message)), None)
    except LINK_ERRORS as error:
        raise _unavailable(error) from error


async def apublish(
    client_name: str,
    action: str,
    data: Any = None,
    *,
    event_id: str | None = None,
    timestamp: str | None = None,
    ttl_ms: int | None = None,
    deliver_by: str | None = None,
    durable: bool = False,
) -> Receipt:
    """Publish one event as publish() does, without blocking the event loop."""
    event_id, message = _prepare(client_name, action, data, event_id, timestamp, ttl_ms, deliver_by)
    try:
        client = _async_client()
        if durable:
            log_id: Any = await client.xadd(_log_key(), {EVENT_FIELD: message}, maxlen=JOURNAL_LENGTH, approximate=True)
            return Receipt(event_id, None, log_id.decode())
        return Receipt(event_id, int(await client.publish(settings.STREAMS.redis_channel, message)), None)
    except LINK_ERRORS as error:
        raise _unavailable(error) from error


def new_event_id() -> str:
    """Return an id that no other event has."""
    return f"evt-{secrets.token_hex(8).upper()}"


def _prepare(
    client_name: str,
    action: str,
    data: Any,
    event_id: str | None,
    timestamp: str | None,
    ttl_ms: int | None,
    deliver_by: str | None,
) -> tuple[str, bytes]:
    conf: StreamSettings = settings.STREAMS
    event_id = new_event_id() if event_id is None else event_id
    message = encode_event(
        client_name,
        action,
        data,
        event_id=event_id,
        timestamp=timestamp or now_iso(),
        ttl_ms=ttl_ms,
        deliver_by=deliver_by,
        max_bytes=conf.max_event_bytes,
    )
    return event_id, message


def _log_key() -> str:
    return str(settings.STREAMS.redis_channel) + JOURNAL_SUFFIX


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.STREAMS.redis_url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=REPLY_SECONDS
    )


# A connection belongs to the event loop that opened it.
_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def _async_client() -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        client = _async_clients[loop] = redis.asyncio.Redis.from_url(
            settings.STREAMS.redis_url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=REPLY_SECONDS
        )
    return client


def _unavailable(error: Exception) -> RedisUnavailable:
    place = redis_place(settings.STREAMS.redis_url)
    return RedisUnavailable(f"{place} did not take the event ({error}). Is it running? REDIS_URL names it.")
