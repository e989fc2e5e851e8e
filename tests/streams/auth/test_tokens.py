from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.auth import tokens
from streams.auth.keys import KeySet, hmac_keys, read_keys
from streams.auth.results import Result
from streams.auth.rights import Holder, Right
from streams.auth.tokens import MAX_MOMENT, Rules, Verifier, rules_of
from streams.conf import read_settings
from tests.streams.auth.issuer import (
    ALGORITHMS,
    HEADER,
    NAME,
    NOW,
    OTHER_SECRET,
    SECRET,
    claims,
    forged,
    jwk,
    jwks,
    keys,
    private,
    refusal,
    token,
    verifier,
)


def holder(**changes: Any) -> Holder:
    return verifier().verify(token(**changes), NOW)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verify_returns_whom_a_token_names(algorithm: str):
    given = token(algorithm, jti="t1")
    expected = Holder(NAME, "t1", NOW - 60, NOW + 3600, subscribe=(NAME,))
    assert verifier(keys(algorithm)).verify(given, NOW) == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.data())
def test_verify_returns_no_holder_for_a_token_with_any_byte_changed(algorithm: str, data: st.DataObject):
    good = GOOD[algorithm]
    place = data.draw(st.integers(0, len(good) - 1))
    character = data.draw(st.characters(max_codepoint=0x17F).filter(lambda other: other != good[place]))
    refusal(good[:place] + character + good[place + 1 :], LOCKS[algorithm])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.data())
def test_verify_returns_no_holder_for_a_token_with_anything_added_or_cut(algorithm: str, data: st.DataObject):
    good = GOOD[algorithm]
    place = data.draw(st.integers(0, len(good)))
    added = data.draw(st.text(st.sampled_from("Aa0-_.= \n\x00"), min_size=1, max_size=3))
    refusal(good[:place] + added + good[place:], LOCKS[algorithm])
    refusal(good[:place] + good[place + 1 :] if place < len(good) else good[:-1], LOCKS[algorithm])


GOOD = {algorithm: token(algorithm) for algorithm in ALGORITHMS}
LOCKS = {algorithm: verifier(keys(algorithm)) for algorithm in ALGORITHMS}


def test_verify_takes_only_algorithms_that_are_allowed():
    both = hmac_keys(SECRET) + keys("ES256")
    locks = verifier(both, algorithms=frozenset({"ES256"}))
    assert refusal(token(), locks) == tokens.NO_ALGORITHM
    assert locks.verify(token("ES256"), NOW).sub == NAME


# The keys of the moment.


def test_verify_with_each_of_several_secrets():
    locks = verifier(hmac_keys(f"{SECRET},{OTHER_SECRET}"))
    for secret in (SECRET, OTHER_SECRET):
        assert locks.verify(token(key=secret), NOW).sub == NAME


def test_verify_says_each_unknown_kid():
    called: list[int] = []
    key_set = read_keys(jwks(jwk("EdDSA", "k1")))
    locks = Verifier(key_set, Rules(), on_unknown_kid=lambda: called.append(1))
    refusal(token("EdDSA", private("EdDSA", 1), kid="k1"), locks)
    refusal(token("EdDSA", private("EdDSA", 1)), locks)
    locks.verify(token("EdDSA", kid="k1"), NOW)
    assert not called
    refusal(token("EdDSA", kid="k2"), locks)
    assert called == [1]
    refusal(token("EdDSA", kid="k2"), verifier(key_set))


def test_a_key_without_a_name_verifies_tokens_that_name_one():
    assert verifier().verify(token(kid="2026-11"), NOW).sub == NAME


def test_change_keys_forgets_what_the_old_ones_verified():
    locks, good = verifier(), token()
    locks.verify(good, NOW)
    assert locks.change_keys(hmac_keys(OTHER_SECRET))
    assert refusal(good, locks) == tokens.BAD_SIGNATURE
    assert locks.keys == hmac_keys(OTHER_SECRET)
    assert refusal(good, verifier(KeySet())) == tokens.NO_ALGORITHM


def test_key_is_rotated_while_1000_connect():
    """Each is judged by the keys of its moment, whoever connected before it."""
    old, new = jwk("EdDSA", "k0"), jwk("EdDSA", "k1", 1)
    sets = [read_keys(jwks(*keys)) for keys in ([old], [old, new], [new], [old, new], [old])]
    lanes = [
        (kid, token("EdDSA", private("EdDSA", kid), f"k{kid}", sub=f"{kid}-{lane}"))
        for lane in range(10)
        for kid in (0, 1)
    ]
    locks = verifier()
    for key_set in sets:
        locks.change_keys(key_set)
        for kid, shown in lanes * 10:
            if key_set.knows(f"k{kid}"):
                assert locks.verify(shown, NOW).sub.startswith(f"{kid}-")
            else:
                assert refusal(shown, locks) == tokens.NO_KEY


def test_change_keys_keeps_the_cache_for_the_same_keys(monkeypatch: pytest.MonkeyPatch):
    locks, good = verifier(), token()
    locks.verify(good, NOW)
    assert not locks.change_keys(hmac_keys(SECRET))
    monkeypatch.setattr(Verifier, "_payload", None)
    assert locks.verify(good, NOW).sub == NAME


# Time.


def test_a_clock_40_seconds_off_is_more_than_the_leeway():
    assert refusal(token(exp=NOW - 40), result=Result.EXPIRED) == tokens.EXPIRED
    assert refusal(token(iat=NOW + 40)) == tokens.NOT_YET
    assert refusal(token(nbf=NOW + 40)) == tokens.NOT_YET
    for changes in ({"exp": NOW - 29}, {"iat": NOW + 30}, {"nbf": NOW + 30}):
        assert holder(**changes).sub == NAME
    exact = verifier(leeway_seconds=0)
    assert refusal(token(exp=NOW), exact, result=Result.EXPIRED) == tokens.EXPIRED
    assert exact.verify(token(exp=NOW + 0.5), NOW).expires_at == NOW + 0.5


@pytest.mark.parametrize("exp", [str(int(NOW) + 60), "never", -1, -1e300, 1e300, MAX_MOMENT + 1, True, [], {}])
def test_exp_has_to_be_a_number_of_seconds(exp: Any):
    assert refusal(forged(HEADER, claims(exp=exp))) == tokens.BAD_CLAIMS


@pytest.mark.parametrize(
    "exp", [b"1" + b"0" * 100, b"-1" + b"0" * 100, b"1e400", b"NaN", b"Infinity", b"null", b"1.8e9.1"]
)
def test_exp_has_to_be_a_number_that_means_a_time(exp: bytes):
    assert refusal(forged(HEADER, b'{"sub":"A","exp":' + exp + b"}")) == tokens.BAD_CLAIMS


def test_exp_may_have_a_fraction_and_has_to_be_there():
    assert holder(exp=NOW + 1.5).expires_at == NOW + 1.5
    assert refusal(token(exp=None)) == tokens.BAD_CLAIMS
    assert refusal(token(exp=0), result=Result.EXPIRED) == tokens.EXPIRED


def test_expired_only_where_all_else_is_right():
    over: dict[str, Any] = {"exp": NOW - 100}
    assert refusal(token(key=OTHER_SECRET, **over)) == tokens.BAD_SIGNATURE
    assert refusal(token(aud="other", **over)) == tokens.OTHER_AUDIENCE
    assert refusal(token(sse={"subscribe": [""]}, **over)) == tokens.BAD_PATTERN


def test_a_token_may_be_too_lasting():
    locks = verifier(max_seconds=3600)
    assert locks.verify(token(iat=NOW, exp=NOW + 3600), NOW).sub == NAME
    assert refusal(token(iat=NOW, exp=NOW + 3601), locks) == tokens.TOO_LASTING
    assert refusal(token(iat=None), locks) == tokens.TOO_LASTING


# For whom, and from whom.


def test_issuer_has_to_be_ours_where_one_is_said():
    locks = verifier(issuer="https://login.example")
    assert locks.verify(token(iss="https://login.example"), NOW).sub == NAME
    for iss in ("https://login.example/", "https://evil.example", None):
        assert refusal(token(iss=iss), locks) == tokens.OTHER_ISSUER
    assert holder(iss="anybody").sub == NAME


def test_audience_has_to_be_ours_where_there_is_one():
    for aud in (None, "sse", ["other", "sse"], []):
        assert holder(aud=aud).sub == NAME
    for aud in ("SSE", "other", ["other"]):
        assert refusal(token(aud=aud)) == tokens.OTHER_AUDIENCE
    required = verifier(audience="tills", audience_required=True)
    assert required.verify(token(aud="tills"), NOW).sub == NAME
    for aud in (None, "", [], "sse"):
        assert refusal(token(aud=aud), required) == tokens.OTHER_AUDIENCE


# Rights.


def test_without_sse_a_token_is_of_the_client_that_is_its_sub():
    assert holder().subscribe == (NAME,)
    assert holder(sub="auth0|123").subscribe == ()
    assert holder(sub=None).subscribe == ()


@pytest.mark.parametrize("sub", ["*", "STORE001-*", "A" * 127 + "*"])
def test_sub_is_never_a_pattern(sub: str):
    assert holder(sub=sub).subscribe == ()


def test_sse_says_all_rights_and_needs_no_sub():
    sse = {"subscribe": ["STORE001-*"], "publish": ["*"], "admin": ["read", "act"], "later": 1}
    given = holder(sub=None, sse=sse)
    assert (given.sub, given.subscribe, given.publish) == ("", ("STORE001-*",), ("*",))
    assert given.admin == {Right.READ, Right.ACT}
    assert holder(sse={}).subscribe == (), "with sse, sub alone gives nothing"


@pytest.mark.parametrize("pattern", ["*", "STORE001-*", "STORE001-LANE01"])
def test_pattern_is_a_literal_with_a_star_at_its_end(pattern: str):
    assert holder(sse={"subscribe": [pattern]}).subscribe == (pattern,)


@pytest.mark.parametrize("pattern", ["", "**", "STORE*LANE", "*LANE", "STORE ", "S\r\n", "A" * 129])
@pytest.mark.parametrize("right", ["subscribe", "publish"])
def test_one_bad_pattern_voids_the_token(right: str, pattern: str):
    assert refusal(token(sse={right: ["STORE001-*", pattern]})) == tokens.BAD_PATTERN


@pytest.mark.parametrize(
    "sse",
    [
        *(None, [], "*", 1, {"subscribe": "*"}, {"subscribe": [1]}, {"subscribe": None}, {"subscribe": ["A"] * 65}),
        *({"admin": ["root"]}, {"admin": "read"}, {"admin": [["read"]]}, {"admin": ["subscribe"]}),
    ],
)
def test_sse_of_the_wrong_kind_voids_the_token(sse: Any):
    assert refusal(forged(HEADER, {**claims(), "sse": sse})) == tokens.BAD_CLAIMS


@pytest.mark.parametrize("changes", [{"sub": 7}, {"sub": "a" * 257}, {"sub": "a\r\nb"}, {"jti": "a\x00"}, {"iat": "1"}])
def test_claims_that_stand_in_logs_are_short_printable_text(changes: dict[str, Any]):
    assert refusal(forged(HEADER, claims(**changes))) == tokens.BAD_CLAIMS


@pytest.mark.parametrize("payload", [b"x", b"[]", b"\xff", b"[" * 3000, b'{"exp":1' + b',"a":[' * 700])
def test_verify_refuses_a_payload_that_cannot_be_read(payload: bytes):
    assert refusal(forged(HEADER, payload)) == tokens.BAD_CLAIMS


# The cache.


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-40, 4000)), max_size=40))
def test_cache_serves_no_expired_token(steps: list[tuple[int, int]]):
    """Each token again and again, at moments in any order, with room for half of them."""
    locks = Verifier(hmac_keys(SECRET), Rules(), max_cached=3)
    for number, later in steps:
        ends = NOW + 600 * number
        if later >= 600 * number + 30:
            assert refusal(SERIES[number], locks, NOW + later, Result.EXPIRED)
        else:
            assert locks.verify(SERIES[number], NOW + later).expires_at == ends
        assert len(locks._cache) <= 3


SERIES = [token(jti=str(number), exp=NOW + 600 * number) for number in range(6)]


def test_cache_keeps_those_that_come_back_and_never_the_tokens():
    locks = Verifier(hmac_keys(SECRET), Rules(), max_cached=2)
    for number in (2, 3, 2, 4):
        locks.verify(SERIES[number], NOW)
    assert [held.jti for held in locks._cache.values()] == ["2", "4"]
    assert not any(given in repr(locks._cache) for given in SERIES)


def test_cache_holds_nothing_that_was_refused():
    locks = verifier()
    refusal(token(key=OTHER_SECRET), locks)
    refusal(token(exp=NOW - 60), locks, result=Result.EXPIRED)
    assert not locks._cache


# The settings.


def test_rules_are_those_of_the_settings():
    assert rules_of(read_settings({})) == Rules()
    said = {
        "TOKEN_ISSUER": "https://login.example",
        "TOKEN_AUDIENCE": "tills",
        "TOKEN_ALGORITHMS": "ES256, EdDSA",
        "TOKEN_LEEWAY_SECONDS": "5",
        "TOKEN_MAX_SECONDS": "3600",
    }
    rules = rules_of(read_settings(said))
    assert (rules.issuer, rules.audience, rules.audience_required) == ("https://login.example", "tills", True)
    assert rules.algorithms == frozenset({"ES256", "EdDSA"})
    assert (rules.leeway_seconds, rules.max_seconds) == (5, 3600)
    assert verifier(issuer="a").rules.issuer == "a"


def test_an_issuer_of_many_services_has_to_name_ours():
    conf = read_settings({"TOKEN_JWKS_URL": "https://login.example/keys", "TOKEN_ISSUER": "https://login.example"})
    assert (rules_of(conf).audience, rules_of(conf).audience_required) == ("sse", True)
