"""The mark of the channel's use on a real server."""

from __future__ import annotations

import asyncio

from streams.broker.channel_use import ChannelUse
from streams.broker.primary import Primary
from tests.support.redis_server import CHANNEL, RedisServer


async def test_a_mark_that_was_seen_counts_though_redis_lost_it(mortal_redis: RedisServer):
    """A pod that has received nothing itself would tell no gap after the restart that lost the mark."""
    mortal_redis.start()
    use, other = (ChannelUse(mortal_redis.url, CHANNEL, Primary(mortal_redis.url)) for _ in range(2))
    assert not await use.is_seen(journal_read=True)
    other.received = 1
    await other.renew()
    assert await use.is_seen(journal_read=True)
    mortal_redis.client.flushall()
    assert await use.is_seen(journal_read=True)


async def test_what_is_received_while_redis_is_asked_is_use(mortal_redis: RedisServer):
    mortal_redis.start()
    use = ChannelUse(mortal_redis.url, CHANNEL, Primary(mortal_redis.url))
    asked = asyncio.ensure_future(use.is_seen(journal_read=True))
    await asyncio.sleep(0)
    use.received = 1
    assert await asked
