"""Revocations in Redis: one hash for the whole cluster, and a word to all pods at once."""

from __future__ import annotations

from typing import Any

import msgspec
import redis.asyncio
from channels.layers import get_channel_layer

from streams.auth.revocations import Revocation
from streams.roster.membership import ALL
from streams.roster.messages import Told

REVOKED = ":revoked"
# In one reply, while other commands wait.
READ_AT_ONCE = 1_000

_read = msgspec.json.Decoder(Revocation).decode


async def revoke(client: redis.asyncio.Redis, channel: str, revocation: Revocation) -> None:
    """Revoke on every pod: open streams end within a second. `channel` is REDIS_CHANNEL.

    Raises a RedisError, or an OSError, where Redis did not take it; to ask again is safe.
    """
    # The entry is its own field: two for one holder stand side by side, and each ends by itself.
    entry = msgspec.json.encode(revocation)
    # No transaction, to which pods' users have no right: each of the two is safe without the other.
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.hset(channel + REVOKED, entry.decode(), str(int(revocation.until)))
        pipeline.publish(f"{channel}:pods:__group__{ALL}", announcement(revocation))
        await pipeline.execute()


def announcement(revocation: Revocation) -> bytes:
    """Return a message to all pods, as the channel layer would send it; nobody's life is in it."""
    layer: Any = get_channel_layer()
    message: bytes = layer.serialize(msgspec.to_builtins(Told("", "", revoked=[revocation])))
    return message


async def read_revocations(client: redis.asyncio.Redis, channel: str, now: float) -> list[Revocation]:
    """Return what is revoked, and take out of Redis what has ended; what cannot be read is passed over."""
    found: list[Revocation] = []
    ended: list[Any] = []
    async for field, _until in client.hscan_iter(channel + REVOKED, count=READ_AT_ONCE):
        try:
            entry = _read(field)
        except msgspec.MsgspecError:
            continue
        if entry.until > now:
            found.append(entry)
        else:
            ended.append(field)
    for place in range(0, len(ended), READ_AT_ONCE):
        await client.hdel(channel + REVOKED, *ended[place : place + READ_AT_ONCE])
    return found
