from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import msgspec
import pytest

from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.conf import StreamSettings
from streams.doctor import probes
from streams.doctor.findings import State
from tests.streams.roster.fleet import fleet_in
from tests.support.redis_server import RedisServer


@pytest.fixture
def here(conf: StreamSettings, client_name: str) -> StreamSettings:
    """Settings with a channel that no other test has."""
    return msgspec.structs.replace(conf, redis_channel=client_name)


async def test_a_canary_that_does_not_come_back(here: StreamSettings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probes, "CANARY_SECONDS", 0.2)
    monkeypatch.setattr(probes, "canary_channel", lambda channel, life: f"{channel}:elsewhere:{life}")
    (found,) = await probes.look_at_canary(here)
    assert (found.state, found.says) == (State.BAD, "what is published does not come back within 0.2 s")


async def test_the_canary_of_a_channel_with_marks_of_patterns(here: StreamSettings):
    (found,) = await probes.look_at_canary(msgspec.structs.replace(here, redis_channel=f"{here.redis_channel}[*"))
    assert found.state is State.WELL


async def test_rights_are_looked_at_while_events_come(here: StreamSettings, redis_server: RedisServer):
    """A message between two answers is none of them."""
    over = threading.Event()

    def publish() -> None:
        while not over.is_set():
            redis_server.publish("{}", here.redis_channel)

    publishing = asyncio.create_task(asyncio.to_thread(publish))
    try:
        for _ in range(20):
            (found,) = await probes.look_at_rights(here, (7, 2))
            assert found.state is State.WELL
    finally:
        over.set()
        await publishing


async def test_the_last_call_is_answered_too(here: StreamSettings, redis_server: RedisServer):
    """Behind several answers to those before it."""
    admin: Any = redis_server.client
    admin.execute_command("ACL", "SETUSER", "stays", "reset", "on", ">secret", "+@all", "-unsubscribe", "~*", "&*")
    url = redis_server.url.replace("redis://", "redis://stays:secret@")
    (found,) = await probes.look_at_rights(msgspec.structs.replace(here, redis_url=url), (7, 2))
    assert found.says == "Redis refuses the user stays: the commands unsubscribe"


async def test_the_length_of_the_journal(here: StreamSettings, redis_server: RedisServer):
    (found,) = await probes.look_at_journal(here)
    assert found.says == "nobody has published into it yet"
    for _ in range(3):
        redis_server.client.xadd(here.redis_channel + JOURNAL_SUFFIX, {"event": "{}"})
    (found,) = await probes.look_at_journal(here)
    assert found.says == "3 entries"


async def test_a_clock_that_is_off(here: StreamSettings, monkeypatch: pytest.MonkeyPatch):
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() - 60)
    (found,) = await probes.look_at_clock(here)
    assert (found.state, found.says) == (State.BAD, "that of Redis is 60.0 s ahead of this machine's")


@pytest.mark.parametrize("early", [True, False])
async def test_a_lane_is_forgotten_whenever_its_pod_notes_its_end(
    here: StreamSettings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, early: bool
):
    monkeypatch.setattr(probes, "FORGET_TRIES", 1)
    name = "DOCTOR-1"
    async with fleet_in(redis_server) as fleet:
        await fleet.began()
        await fleet.beat("life-1")
        await fleet.connect("life-1", name)
        if early:
            await fleet.end("life-1", name)
        await probes.forget(msgspec.structs.replace(here, redis_channel=fleet.channel), name)
        if not early:
            await fleet.end("life-1", name)
        assert await fleet.reader.lane(name) is None
        await fleet.round()
        assert await fleet.client.exists(fleet.hash("seen", name), fleet.hash("known", name)) == 0
