from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import redis.asyncio

from streams.auth.keys import read_keys
from streams.auth.results import Result
from streams.auth.revocations import Revocation
from streams.auth.rights import Holder, Right
from streams.broker.clients import async_client
from streams.conf import StreamSettings
from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.locks import guard as guards
from streams.locks.locks import Mode
from streams.locks.revoking import REVOKED, revoke
from streams.pod import Pod
from streams.roster.messages import Told
from streams.tasks import cancel
from tests.streams.auth.issuer import SECRET, private, public_pem, token
from tests.streams.builders import Recorder
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

CHANNEL = "guard-tests"


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    client = async_client(redis_server.url)
    await client.delete(CHANNEL + REVOKED)
    yield client
    await client.aclose()


@pytest.fixture
def pod(conf: StreamSettings) -> Pod:
    """A pod that needs tokens; nothing of it runs."""
    pod = Pod(msgspec.structs.replace(conf, redis_channel=CHANNEL, stream_auth="required", token_secret=SECRET))
    pod.registry.subscribed = True
    return pod


def open_stream(pod: Pod, name: str, **facts: Any) -> Connection:
    connection = Connection(name, Recorder())
    connection.holder = Holder(name, expires_at=time.time() + 600, **facts)
    pod.registry.open(connection, [])
    return connection


def test_guard_of_locks_that_are_off_does_nothing(conf: StreamSettings):
    pod = Pod(conf)
    assert pod.guard.runs == {}
    assert pod.guard.unready_reason() == ""
    assert pod.guard not in pod.ingresses.primary.connections
    assert pod.registry.on_open == pod.roster.opened


async def test_pod_that_asks_back_ends_alone_is_not_ready_before_either(
    conf: StreamSettings, client: redis.asyncio.Redis
):
    """Nor waits for an issuer's keys, which no device needs there."""
    secret = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
    pod = Pod(msgspec.structs.replace(conf, redis_channel=CHANNEL, publish_auth="required", token_secret=secret))
    assert "revoked" in pod.guard.unready_reason()
    await pod.guard.read(client)
    assert pod.guard.unready_reason() == ""
    waiting = Pod(msgspec.structs.replace(pod.conf, token_jwks_url="https://login.example/jwks", token_issuer="login"))
    assert "revoked" in waiting.guard.unready_reason()
    await waiting.guard.read(client)
    assert waiting.guard.unready_reason() == ""


def test_guard_is_there_for_the_tokens_of_operators(conf: StreamSettings):
    """Where neither devices nor back ends need any: what is revoked opens nothing."""
    pod = Pod(msgspec.structs.replace(conf, token_secret="only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"))
    assert "revocations" in pod.guard.runs
    assert pod.guard.unready_reason() == ""
    assert pod.locks.unsure(), "an operator's token is not believed before"


async def test_pod_is_not_ready_before_it_knows_what_was_revoked(pod: Pod, client: redis.asyncio.Redis):
    assert "revoked" in pod.guard.unready_reason()
    assert pod.locks.unsure()
    await pod.guard.read(client)
    assert pod.guard.unready_reason() == ""
    assert not pod.locks.unsure()


async def test_read_ends_streams_that_were_revoked_while_nothing_was_heard(pod: Pod, client: redis.asyncio.Redis):
    """And what is no longer in Redis is revoked no longer."""
    connection, other = open_stream(pod, "a", jti="stolen"), open_stream(pod, "b")
    pod.locks.revocations.add(Revocation(time.time() + 60, jti="forgotten"), time.time())
    await revoke(client, CHANNEL, Revocation(time.time() + 60, jti="stolen"))
    await pod.guard.read(client)
    assert [connection.close_reason, other.close_reason] == [CloseReason.TOKEN_REVOKED, None]
    assert not pod.locks.revocations.revoked(Holder(jti="forgotten"), time.time())


async def test_read_takes_what_counts_behind_its_end(pod: Pod, client: redis.asyncio.Redis):
    """A token is taken for a while behind its end, and so is what revoked it."""
    leeway = pod.conf.token_leeway_seconds
    await revoke(client, CHANNEL, Revocation(time.time() - leeway, jti="late"))
    await revoke(client, CHANNEL, Revocation(time.time() - 3 * leeway, jti="over"))
    await pod.guard.read(client)
    assert [pod.locks.revocations.revoked(Holder(jti=jti), time.time()) for jti in ("late", "over")] == [True, False]
    assert await client.hlen(CHANNEL + REVOKED) == 1


async def test_what_is_announced_while_the_hash_is_read_counts(
    pod: Pod, client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
):
    async def read_too_early(*_arguments: Any) -> list[Revocation]:
        pod.roster.on_told(Told("", "", revoked=[Revocation(time.time() + 60, jti="new")]))
        return []

    monkeypatch.setattr(guards, "read_revocations", read_too_early)
    connection = open_stream(pod, "a", jti="new")
    await pod.guard.read(client)
    assert connection.close_reason is CloseReason.TOKEN_REVOKED
    assert pod.locks.revocations.revoked(Holder(jti="new"), time.time())


async def test_run_reads_again_when_the_others_are_heard_again_or_redis_is_another(
    pod: Pod, client: redis.asyncio.Redis
):
    run = asyncio.create_task(pod.guard.run())
    try:
        await eventually("the first read", lambda: not pod.guard.unready_reason())
        words: list[Callable[[], None]] = [pod.roster.members.on_hearing, lambda: pod.guard.drop("another")]
        for number, told in enumerate(words):
            connection = open_stream(pod, f"lane-{number}", jti=f"id-{number}")
            await revoke(client, CHANNEL, Revocation(time.time() + 60, jti=f"id-{number}"))
            told()
            await eventually("its end", lambda: connection.close_reason)  # noqa: B023 - it is awaited here
            assert connection.close_reason is CloseReason.TOKEN_REVOKED
    finally:
        await cancel([run])


async def test_run_goes_on_when_redis_is_away(pod: Pod, mortal_redis: RedisServer, caplog: pytest.LogCaptureFixture):
    """What is known stays; nothing is let in that was revoked."""
    pod = Pod(msgspec.structs.replace(pod.conf, redis_url=mortal_redis.url))
    run = asyncio.create_task(pod.guard.run())
    try:
        await eventually("two tries", lambda: pod.guard.errors > 1)
        assert "revoked" in pod.guard.unready_reason()
        mortal_redis.start()
        await eventually("a read", lambda: not pod.guard.unready_reason())
    finally:
        await cancel([run])
    assert len([line for line in caplog.messages if line.startswith("What was revoked cannot be read")]) == 1


async def test_token_that_names_an_unknown_key_wakes_the_source_of_keys(conf: StreamSettings):
    pod = Pod(
        msgspec.structs.replace(conf, stream_auth="observe", token_jwks_url="http://127.0.0.1:1/", token_issuer="i")
    )
    jwks = pod.guard.sources.jwks
    assert jwks is not None
    pod.guard.was_read = True
    pod.locks.verifier.change_keys(read_keys(public_pem(private("RS256"))))
    headers = [(b"authorization", b"Bearer " + token("RS256", private("RS256", 1), kid="unknown").encode())]
    pod.locks.decide(headers, b"", Right.SUBSCRIBE, "A", mode=Mode.OBSERVE)
    assert jwks._wanted.is_set()


async def test_revocations_that_find_no_room_are_said(pod: Pod, caplog: pytest.LogCaptureFixture):
    pod.locks.revocations._limit = 1
    ends_at = time.time() + 60
    pod.roster.on_told(Told("", "", revoked=[Revocation(ends_at, jti="a"), Revocation(ends_at, jti="b")]))
    assert "not all of them hold" in caplog.text


def test_lane_that_another_pod_welcomed_is_listed_no_longer(pod: Pod, monkeypatch: pytest.MonkeyPatch):
    told: list[Any] = []
    monkeypatch.setattr(pod.roster.members, "tell", told.extend)
    pod.locks.unwelcome.note("a", Result.NONE, "", "", "")
    pod.roster.on_told(Told("another", "pod-2", welcome=[("a", 0.0), ("b", 0.0)]))
    assert len(pod.locks.unwelcome) == 0
    for name in ("a", "b"):
        pod.locks.unwelcome.welcome(name)
    for _second in range(2):
        pod.guard.look()
    ((_everybody, only),) = told
    assert (only.life, [name for name, _seconds in only.welcome]) == (pod.roster.claims.life, ["a", "b"])
    # What it tells all comes back to it, and may be behind the times by then.
    pod.locks.unwelcome.note("a", Result.NONE, "", "", "")
    pod.roster.on_told(msgspec.structs.replace(only, welcome=[("a", 0.0)]))
    assert len(pod.locks.unwelcome) == 1


@pytest.mark.parametrize("reason", ["expired", "revoked"])
def test_pod_that_observes_lists_whose_stream_would_end(conf: StreamSettings, reason: str):
    pod = Pod(msgspec.structs.replace(conf, redis_channel=CHANNEL, stream_auth="observe", token_secret=SECRET))
    pod.registry.subscribed = True
    connection = open_stream(pod, "a", jti="one")
    now = time.time()
    if reason == "revoked":
        pod.roster.on_told(Told("", "", revoked=[Revocation(now + 60, jti="one")]))
    else:
        connection.holder = Holder("a", expires_at=now - 60)
        pod.guard.open_streams.opened(connection)
        pod.guard.look()
    assert [(lane.client_name, lane.result) for lane in pod.locks.unwelcome] == [("a", reason)]
    assert connection.close_reason is None
    assert pod.guard.open_streams.renew(connection, Holder("a", expires_at=now + 60))
    assert len(pod.locks.unwelcome) == 0
