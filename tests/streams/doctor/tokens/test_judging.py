from __future__ import annotations

from typing import Any

import pytest

from streams.auth.keys import KeySet, hmac_keys, read_keys
from streams.conf import StreamSettings
from streams.doctor.findings import Finding, State
from streams.doctor.tokens import judging
from streams.doctor.tokens.judging import Source
from streams.roster.lives import LIFE_SECONDS, Heard, Life
from streams.wire.timestamps import iso
from tests.streams.auth.issuer import (
    NOW,
    OTHER_SECRET,
    SECRET,
    jwk,
    jwks,
    private,
    public_pem,
    token,
    verifier,
)

URL = "https://login.example/keys"


def conf(**settings: Any) -> StreamSettings:
    return StreamSettings(**settings)


@pytest.mark.parametrize(
    ("environment", "streams", "publishing", "state", "remedy"),
    [
        ("development", "off", "off", State.WELL, ""),
        ("production", "required", "required", State.WELL, ""),
        ("production", "off", "required", State.LOOK, "(STREAM_AUTH is off)"),
        ("production", "observe", "required", State.LOOK, "observe, which stops nobody"),
        ("production", "required", "off", State.LOOK, "publishes through /api/v1"),
    ],
)
def test_locks(environment: Any, streams: Any, publishing: Any, state: State, remedy: str):
    found = judging.judge_locks(conf(environment=environment, stream_auth=streams, publish_auth=publishing))
    assert (found.state, found.says) == (state, f"STREAM_AUTH is {streams}, PUBLISH_AUTH is {publishing}")
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("secrets", "state", "says"),
    [
        (SECRET, State.WELL, f"1 secret in TOKEN_SECRET, the shortest of {len(SECRET)} bytes"),
        (f"{SECRET}é,{OTHER_SECRET}", State.WELL, f"2 secrets in TOKEN_SECRET, the shortest of {len(SECRET)} bytes"),
        (f"{SECRET},{SECRET}", State.LOOK, "one stands there twice"),
    ],
    ids=["one", "two", "twice"],
)
def test_secrets(secrets: str, state: State, says: str):
    (found,) = judging.judge_secrets(conf(token_secret=secrets))
    assert found.state is state
    assert says in found.says
    assert SECRET not in repr(found)


def test_secrets_where_there_is_none():
    assert list(judging.judge_secrets(conf())) == []


def test_source_with_keys():
    keys = read_keys(jwks(jwk("RS256", "one"), jwk("ES256", "two")))
    found = judging.judge_source(Source("jwks", "TOKEN_JWKS_URL", keys, seconds=0.0804))
    assert found == Finding("jwks", State.WELL, "2 keys in TOKEN_JWKS_URL (ES256, RS256), read in 80 ms")
    one = read_keys(public_pem(private("EdDSA")))
    assert judging.judge_source(Source("key file", "TOKEN_KEYS", one)).says == "1 key in TOKEN_KEYS (EdDSA)"


def test_source_without_keys():
    found = judging.judge_source(Source("jwks", "TOKEN_JWKS_URL", error="it answers 404."))
    assert (found.state, found.says) == (State.BAD, "TOKEN_JWKS_URL: it answers 404")
    assert "one that starts now" in found.remedy


def test_algorithms():
    only_rsa = conf(token_algorithms=("RS256",))
    (found,) = judging.judge_algorithms(only_rsa, hmac_keys(SECRET))
    assert (found.state, found.says) == (State.BAD, "TOKEN_ALGORITHMS takes RS256, and all keys are for HS256")
    assert not list(judging.judge_algorithms(only_rsa, KeySet()))
    assert not list(judging.judge_algorithms(conf(), hmac_keys(SECRET)))
    both = hmac_keys(SECRET) + read_keys(public_pem(private("RS256")))
    assert not list(judging.judge_algorithms(only_rsa, both))


def heard(name: str, *, age: float | None = None, ahead: float | None = 0.0, silent: float = 1.0) -> Heard:
    told = "" if ahead is None else iso(NOW - silent + ahead)
    return Heard(name, Life(name, "1.0.0", iso(NOW - 60), jwks_age_seconds=age, told_at=told), silent)


def of_pods(settings: StreamSettings, *lives: Heard) -> dict[str, Finding]:
    return {found.check: found for found in judging.judge_pods(settings, lives, NOW)}


def test_pods_where_no_token_can_be_verified():
    assert of_pods(conf(), heard("a", ahead=100)) == {}


def test_pods_whose_clocks_are_right():
    found = of_pods(conf(token_secret=SECRET), heard("a", ahead=0.3), heard("b", ahead=-29), heard("c", ahead=None))
    says = "pods are within 29.0 s of Redis' clock, and forgive 30 s in iat and exp"
    assert found == {"token clock": Finding("token clock", State.WELL, says)}


def test_pods_whose_clocks_are_further_off_than_tokens_may_be():
    settings = conf(token_secret=SECRET, token_leeway_seconds=5)
    gone = heard("gone", ahead=90, silent=LIFE_SECONDS)
    found = of_pods(settings, heard("a", ahead=-40), heard("b", ahead=6), heard("c"), gone)["token clock"]
    assert (found.state, found.says) == (State.BAD, "a is -40.0 s, b is +6.0 s off from Redis', and pods forgive 5 s")


def test_pods_that_tell_no_clock_and_no_age():
    settings = conf(token_jwks_url=URL)
    assert of_pods(settings, heard("a", ahead=None)) == {}


def test_pods_by_the_age_of_their_keys():
    settings = conf(token_jwks_url=URL)
    found = of_pods(settings, heard("a", age=10), heard("b", age=899))["jwks age"]
    assert (found.state, found.says) == (State.WELL, "each pod has read good keys within 900 s")
    found = of_pods(settings, heard("a", age=10), heard("b", age=1500), heard("c"))["jwks age"]
    assert (found.state, found.says) == (State.LOOK, "last good keys were read by b 1,501 s ago")
    assert "jwks age" not in of_pods(conf(token_secret=SECRET), heard("a", age=1500))


def test_token_that_is_good():
    found = judging.judge_token(token(), verifier(), NOW)
    assert found == Finding("token", State.WELL, f"it is good until {iso(NOW + 3600)}, and was issued 60 s ago")
    assert judging.judge_token(token(iat=None), verifier(), NOW).says.endswith("and has no iat")
    assert judging.judge_token(token(iat=NOW + 1), verifier(), NOW).says.endswith("and was issued 0 s ago")


def test_token_from_a_clock_that_is_ahead():
    found = judging.judge_token(token(iat=NOW + 20), verifier(), NOW)
    assert (found.state, found.says) == (State.LOOK, "it is issued 20 s from now, and pods forgive 30 s")
    found = judging.judge_token(token(iat=NOW + 40), verifier(), NOW)
    assert found.state is State.BAD
    assert "(invalid): The token is not valid yet: see nbf and iat, and the clocks." in found.says


def test_token_that_is_refused():
    found = judging.judge_token(token(exp=NOW - 60), verifier(), NOW)
    assert (found.state, found.says) == (State.BAD, "pods refuse it (expired): The token has expired.")


def test_token_that_nothing_here_can_verify():
    assert judging.judge_token(token(), verifier(KeySet()), NOW).state is State.SKIPPED
