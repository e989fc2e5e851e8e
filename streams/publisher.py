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

from streams.conf import StreamSettings, redis_place
from streams.errors import RedisUnavailable
from streams.events import encode_event
from streams.times import now_iso

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 5.0


class Receipt(NamedTuple):
    """What is known of a published event: its id, and how many pods Redis handed it to."""

    event_id: str
    receivers: int


def publish(
    client_name: str,
    action: str,
    data: Any = None,
    *,
    event_id: str | None = None,
    timestamp: str | None = None,
) -> Receipt:
    """Publish one event to the pods.

    `data` is anything that JSON can hold; `event_id` is drawn at random unless given.
    Raises InvalidEvent where the event must be changed and RedisUnavailable where
    Redis did not take it.
    """
    event_id, message = _prepare(client_name, action, data, event_id, timestamp)
    try:
        receivers = _client().publish(settings.STREAMS.redis_channel, message)
    except (redis.RedisError, OSError) as error:
        raise _unavailable(error) from error
    return Receipt(event_id, int(receivers))


async def apublish(
    client_name: str,
    action: str,
    data: Any = None,
    *,
    event_id: str | None = None,
    timestamp: str | None = None,
) -> Receipt:
    """Publish one event as publish() does, without blocking the event loop."""
    event_id, message = _prepare(client_name, action, data, event_id, timestamp)
    try:
        receivers = await _async_client().publish(settings.STREAMS.redis_channel, message)
    except (redis.RedisError, OSError) as error:
        raise _unavailable(error) from error
    return Receipt(event_id, int(receivers))


def new_event_id() -> str:
    """Return an id that no other event has."""
    return f"evt-{secrets.token_hex(8).upper()}"


def _prepare(
    client_name: str, action: str, data: Any, event_id: str | None, timestamp: str | None
) -> tuple[str, bytes]:
    conf: StreamSettings = settings.STREAMS
    event_id = new_event_id() if event_id is None else event_id
    message = encode_event(
        client_name,
        action,
        data,
        event_id=event_id,
        timestamp=timestamp or now_iso(),
        max_bytes=conf.max_event_bytes,
    )
    return event_id, message


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
