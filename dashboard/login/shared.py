"""What all pods know of operators' logins: a few short-lived keys in Redis."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings

from streams.broker import clients

# A page waits for this; without an answer a pod goes by what it knows itself.
REPLY_SECONDS = 1.0

# A connection belongs to the event loop that opened it.
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def client() -> redis.asyncio.Redis:
    """Return the running loop's client, which connects when it is first used."""
    loop = asyncio.get_running_loop()
    found = _clients.get(loop)
    if found is None:
        url = settings.STREAMS.redis_url
        found = clients.async_client(url, connect_seconds=REPLY_SECONDS, reply_seconds=REPLY_SECONDS)
        _clients[loop] = found
    return found


def key(kind: str, name: str) -> str:
    """Name a key of operators' logins."""
    return f"{settings.STREAMS.redis_channel}:operators:{kind}:{name}"
