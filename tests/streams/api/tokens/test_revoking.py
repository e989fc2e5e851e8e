"""Tokens that are taken back."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest

from streams.api.tokens.revoking import Revoking, revocation_of
from streams.auth.revocations import Revocation
from streams.conf.tokens import TokenSettings
from streams.locks.revoking import read_revocations
from tests.streams.api.asking import JSON, Api, Asked
from tests.streams.api.tokens.asking import bearer

NOW = 1_800_000_000.0
DAY = 86_400
ACT = bearer(sub="ops", admin=["act"])


async def revoke(api: Api, said: Any, **headers: str) -> Asked:
    return await api.ask("/revocations", "POST", {**JSON, **headers}, json.dumps(said).encode())


async def test_revoke_is_in_redis_for_all_pods(guarded: Api, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "sse.audit")
    until = int(time.time()) + 600
    asked = await revoke(guarded, {"jti": "7f3c", "until": until}, **ACT)
    assert asked.status == 202
    assert asked.said.keys() == {"until", "jti"}
    asked = await revoke(guarded, {"sub": "lane 3", "issuedBefore": "2026-01-05T12:00:00Z"}, **ACT)
    assert asked.status == 202
    assert (asked.said["sub"], asked.said["issuedBefore"]) == ("lane 3", "2026-01-05T12:00:00.000Z")
    async with guarded.pod.roster.client() as client:
        found = await read_revocations(client, guarded.pod.conf.redis_channel, time.time())
    one, all_of_one = sorted(found, key=lambda each: each.sub)
    assert one == Revocation(until, jti="7f3c")
    assert (all_of_one.sub, all_of_one.issued_before) == ("lane 3", 1767614400)
    assert 0 <= time.time() + DAY - all_of_one.until < 60
    assert caplog.messages == [
        "token:ops revoked the token 7f3c",
        'token:ops revoked all tokens of "lane 3" before 2026-01-05T12:00:00.000Z',
    ]


@pytest.mark.parametrize("claims", [{}, {"admin": ["read"]}, {"publish": ["*"], "subscribe": ["*"]}])
async def test_revoke_needs_the_right_to_act(guarded: Api, claims: dict[str, Any]):
    asked = await revoke(guarded, {"jti": "7f3c"}, **bearer(**claims))
    assert (asked.status, asked.problem) == (403, "insufficient-scope")
    assert (await revoke(guarded, {"jti": "7f3c"})).status == 401
    async with guarded.pod.roster.client() as client:
        assert await read_revocations(client, guarded.pod.conf.redis_channel, time.time()) == []


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, "/jti"),
        ({"jti": "1", "sub": "2"}, "/jti"),
        ({"jti": ""}, "/jti"),
        ({"jti": "x" * 257}, "/jti"),
        ({"jti": 7}, "/jti"),
        ({"jti": "1", "issuedBefore": 1}, "/issuedBefore"),
        ({"sub": "1", "issuedBefore": "soon"}, "/issuedBefore"),
        ({"sub": "1", "issuedBefore": 4_000_000_000}, "/issuedBefore"),
        ({"jti": "1", "until": 1}, "/until"),
        ({"jti": "1", "until": 1_800_000_000_000}, "/until"),
        ({"jti": "1", "until": []}, "/until"),
        ({"jti": "1", "because": "lost"}, "/because"),
    ],
)
async def test_revoke_what_cannot_be_meant(guarded: Api, said: Any, pointer: str):
    asked = await revoke(guarded, said, **ACT)
    assert asked.status == 400
    assert [each["pointer"] for each in asked.said["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("conf", "until"), [(TokenSettings(), NOW + DAY), (TokenSettings(token_max_seconds=3600), NOW + 3600)]
)
def test_revocation_ends_with_the_longest_token(conf: TokenSettings, until: float):
    assert revocation_of(Revoking(jti="1"), conf, NOW) == Revocation(until, jti="1")
    assert revocation_of(Revoking(sub="a"), conf, NOW) == Revocation(until, sub="a", issued_before=NOW)


@pytest.mark.parametrize("said", [NOW - 5, "2027-01-15T07:59:55Z", "2027-01-15T08:59:55+01:00"])
def test_revocation_takes_seconds_and_iso(said: float | str):
    found = revocation_of(Revoking(sub="a", issued_before=said), TokenSettings(), NOW)
    assert found.issued_before == NOW - 5
