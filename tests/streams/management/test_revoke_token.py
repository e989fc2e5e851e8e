"""revoke_token, on a real Redis."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from streams.auth.revocations import Revocation
from streams.broker.clients import async_client
from streams.conf import read_settings
from streams.locks.revoking import REVOKED, read_revocations
from tests.streams.auth.issuer import SECRET, forged, token
from tests.support.http import HOST
from tests.support.redis_server import RedisServer

CHANNEL = "revoke-token-tests"
NOW = int(time.time())
DAY = 86_400


@pytest.fixture(autouse=True)
def pods(settings: Any, redis_server: RedisServer) -> None:
    values = {"REDIS_URL": redis_server.url, "REDIS_CHANNEL": CHANNEL, "TOKEN_SECRET": SECRET}
    settings.STREAMS = read_settings(values)
    redis_server.client.delete(CHANNEL + REVOKED)


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def revoked(redis_server: RedisServer) -> list[Revocation]:
    async def read() -> list[Revocation]:
        async with async_client(redis_server.url) as client:
            return await read_revocations(client, CHANNEL, time.time())

    return asyncio.run(read())


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("revoke_token", *arguments, stdout=out)
    return out.getvalue()


def test_revoke_one_by_its_jti(redis_server: RedisServer):
    assert said("--jti", "7f3c").startswith("Revoked the token 7f3c; kept until 20")
    (entry,) = revoked(redis_server)
    assert (entry.jti, entry.sub) == ("7f3c", "")
    assert abs(entry.until - time.time() - DAY) < 60


def test_revoke_all_of_a_holder(redis_server: RedisServer):
    told = said("--sub", "lane 3", "--issued-before", "2026-01-05T12:00:00Z", "--until", str(NOW + DAY))
    assert told.startswith('Revoked all tokens of "lane 3" before 2026-01-05T12:00:00.000Z')
    assert revoked(redis_server) == [Revocation(NOW + DAY, sub="lane 3", issued_before=1767614400)]
    said("--sub", "other")
    newest = next(entry for entry in revoked(redis_server) if entry.sub == "other")
    assert abs(newest.issued_before - time.time()) < 60, "all that it has now"


def test_revoke_the_token_on_standard_input(redis_server: RedisServer, type_in: Any):
    """For as long as pods would take it."""
    given = token(jti="one", exp=NOW + 3600, iat=NOW - 60)
    type_in(f"{given}\n")
    assert given not in said()
    assert revoked(redis_server) == [Revocation(NOW + 3600 + 30, jti="one")]


def test_revoke_a_token_without_jti_with_all_older_ones(redis_server: RedisServer, type_in: Any):
    type_in(token(sub="orders", exp=NOW + 3600, iat=NOW - 60))
    said()
    (entry,) = revoked(redis_server)
    assert (entry.sub, entry.issued_before) == ("orders", NOW - 59)
    assert entry.until >= NOW + DAY


def test_revoke_a_token_that_others_signed(redis_server: RedisServer, type_in: Any):
    """Its key may be gone already, or be another pod's."""
    type_in(forged({"alg": "HS256"}, {"jti": "one", "exp": NOW + DAY}, key="x" * 40))
    said()
    assert [entry.jti for entry in revoked(redis_server)] == ["one"]


@pytest.mark.parametrize(
    ("arguments", "typed", "why"),
    [
        (["--jti", "1", "--sub", "2"], "", "Name one of --jti and --sub"),
        (["--jti", ""], "", "One of jti and sub"),
        (["--jti", "1", "--issued-before", "2026-01-05"], "", "issuedBefore goes with sub"),
        (["--sub", "1", "--issued-before", "soon"], "", "issuedBefore must be Unix seconds"),
        (["--sub", "1", "--until", "2026-01-05"], "", "until must be to come"),
        (["--sub", "1", "--issued-before", "nan"], "", "issuedBefore must not be to come"),
        (["--sub", "1", "--until", "nan"], "", "until must be to come"),
        ([], "", "Standard input holds no token"),
        ([], "a.b.c", "Standard input holds no token"),
        ([], token(jti=5), "Standard input holds no token"),
        ([], token(sub=None, exp=NOW + DAY), "neither jti nor sub"),
        ([], token(jti="one", exp=NOW - DAY), "The token is over since"),
    ],
)
def test_revoke_nothing(redis_server: RedisServer, type_in: Any, arguments: list[str], typed: str, why: str):
    type_in(typed)
    with pytest.raises(CommandError, match=why) as refused:
        said(*arguments)
    assert refused.value.returncode == 2
    assert not typed or typed not in str(refused.value)
    assert revoked(redis_server) == []


def test_revoke_without_redis(settings: Any):
    settings.STREAMS = read_settings({"REDIS_URL": f"redis://{HOST}:1"})
    with pytest.raises(CommandError, match="gives no answer") as refused:
        said("--jti", "7f3c")
    assert refused.value.returncode == 1
