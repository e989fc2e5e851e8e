"""The journal's reader on a real server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis

from streams.broker.journal.entries import Taken
from streams.broker.journal.reader import JournalReader
from streams.broker.primary import Primary
from streams.tasks import cancel
from tests.support.redis_server import CHANNEL, JOURNAL, RedisServer, event
from tests.support.waiting import eventually


async def test_what_a_read_shows_to_be_lost_is_told_though_the_link_breaks_behind_it(
    mortal_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    """The pod stands still while an entry comes and the journal is deleted; then its next question fails."""
    server, lost = mortal_redis, list[float]()
    server.start()
    taken_at: list[float] = []

    def take(taken: Taken) -> None:
        if taken.lost_since is not None:
            lost.append(taken.lost_since)
        if taken.messages and not taken.past:
            server.add(event("a", 2))
            taken_at.append(time.monotonic())
            server.client.delete(JOURNAL)
            monkeypatch.setattr(reader, "_newest", fail_once)

    async def fail_once(_client: Any) -> bytes | None:
        monkeypatch.undo()
        raise redis.ConnectionError("cut")

    reader = JournalReader(
        server.url,
        CHANNEL,
        history_seconds=60,
        on_taken=take,
        on_lost=lambda since: lost.append(since),
        on_caught_up=lambda: None,
        primary=Primary(server.url),
    )
    server.add(event("a", 0))
    running = asyncio.create_task(reader.run())
    await eventually("the reader", lambda: reader.caught_up)
    server.add(event("a", 1))
    await eventually("the loss", lambda: lost)
    await cancel([running])
    assert min(lost) < taken_at[0]


async def test_a_reader_that_is_leaving_may_be_sent_away_again(mortal_redis: RedisServer):
    """Two connections found the wrong server in one turn: the second to say so failed, and nobody was told."""
    server = mortal_redis
    server.start()
    server.add(event("a", 0))
    reader = JournalReader(
        server.url,
        CHANNEL,
        history_seconds=60,
        on_taken=lambda _taken: None,
        on_lost=lambda since: None,
        on_caught_up=lambda: None,
        primary=Primary(server.url),
    )
    running = asyncio.create_task(reader.run())
    await eventually("the reader", lambda: reader.caught_up)
    for reason in ("it is a replica now", "another Redis answers there now"):
        reader.drop(reason)
    await eventually("it to have left", lambda: "it is a replica now" in reader.last_error)
    answered_at = reader.answered_at
    await eventually("it to read again", lambda: reader.answered_at > answered_at)
    await cancel([running])
