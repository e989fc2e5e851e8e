"""What a tester tries with the header and the signature of a token."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.auth import tokens
from streams.auth.keys import hmac_keys, read_keys
from streams.auth.tokens import MAX_TOKEN_BYTES
from tests.streams.auth.issuer import (
    HEADER,
    NAME,
    NOW,
    OTHER_SECRET,
    SECRET,
    encoded,
    forged,
    jwk,
    jwks,
    keys,
    private,
    public_pem,
    refusal,
    token,
    verifier,
)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_verify_refuses_alg_none(alg: str):
    unsigned = forged({"alg": alg}).rpartition(".")[0]
    assert refusal(unsigned + ".") == tokens.NO_COMPACT
    assert refusal(unsigned + ".AAAA") == tokens.NO_ALGORITHM
    assert refusal(forged({"alg": alg})) == tokens.NO_ALGORITHM


def test_verify_refuses_hs256_signed_with_the_public_key_of_rs256():
    pem = public_pem(private("RS256"))
    only_public = verifier(keys("RS256"))
    for secret in (pem, pem.strip(), pem.replace("\n", "")):
        assert refusal(forged(HEADER, key=secret), only_public) == tokens.NO_ALGORITHM
        both = verifier(keys("RS256") + hmac_keys(SECRET))
        assert refusal(forged(HEADER, key=secret), both) == tokens.BAD_SIGNATURE


@pytest.mark.parametrize("field", ["jwk", "jku", "x5u", "x5c"])
def test_verify_ignores_keys_that_a_token_brings(field: str):
    brought = {**HEADER, field: {"jwk": {"kty": "oct", "k": encoded(OTHER_SECRET.encode())}}.get(field, "https://evil")}
    assert refusal(forged(brought, key=OTHER_SECRET)) == tokens.BAD_SIGNATURE
    assert verifier().verify(forged(brought), NOW).sub == NAME


@pytest.mark.parametrize("crit", [["b64"], ["exp"], [], "exp", None])
def test_verify_refuses_crit(crit: Any):
    assert refusal(forged({**HEADER, "crit": crit, "b64": False})) == tokens.CRITICAL


def test_verify_refuses_two_signatures():
    good = token()
    signature = good.rpartition(".")[2]
    assert refusal(f"{good}.{signature}") == tokens.NO_COMPACT
    header, payload, _signature = good.split(".")
    general = {"payload": payload, "signatures": [{"protected": header, "signature": signature}] * 2}
    assert refusal(msgspec.json.encode(general).decode()) == tokens.NO_COMPACT


def test_verify_refuses_an_encrypted_token():
    jwe = encoded(b'{"alg":"dir","enc":"A256GCM"}')
    assert refusal(f"{jwe}.QUFB.QUFB.QUFB.QUFB") == tokens.ENCRYPTED
    assert refusal(f"{jwe}..QUFB.QUFB.QUFB") == tokens.ENCRYPTED


@pytest.mark.parametrize("kid", ["k" * 200, "../../etc/passwd", "a\r\nSet-Cookie: b=c", "' OR 1=1", "", "café\x00"])
def test_verify_takes_any_kid_for_a_name_and_nothing_else(kid: str):
    locks = verifier(read_keys(jwks(jwk("EdDSA", "k1"))))
    sentence = refusal(token("EdDSA", kid=kid), locks)
    assert sentence == tokens.NO_KEY
    assert not kid or kid not in sentence


def test_verify_refuses_a_kid_of_10_kib():
    assert refusal(forged({**HEADER, "kid": "k" * 10 * 1024})) == tokens.TOO_LONG
    assert refusal(forged({**HEADER, "kid": "k" * 1024})) == tokens.NO_HEADER


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"x", b"[]", b"null", b'"HS256"', b"\xff", b"{" * 3000, b"[" * 3000, b'{"alg":"HS256"'),
        *(b"{}", b'{"alg":null}', b'{"alg":["HS256"]}', b'{"alg":"HS256","kid":7}', b'{"alg":"HS256","typ":1}'),
    ],
)
def test_verify_refuses_a_header_that_cannot_be_read(header: bytes):
    assert refusal(forged(header)) in (tokens.NO_HEADER, tokens.NO_COMPACT)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_verify_takes_types_of_access_tokens(typ: str):
    assert verifier().verify(forged({"alg": "HS256", "typ": typ}), NOW).sub == NAME


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "JOSE", "", "secevent+jwt"])
def test_verify_refuses_other_types(typ: str):
    assert refusal(forged({"alg": "HS256", "typ": typ})) == tokens.OTHER_TYPE


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a.b.c.d", "a.b.c\n", " a.b.c", "é.b.c", "a.b.c=", "\ud800.b.c"]
)
def test_verify_refuses_what_is_no_compact_form(text: str):
    assert refusal(text) == tokens.NO_COMPACT


def test_verify_refuses_16_kib_of_token_before_it_looks_at_it():
    good = token(more="x" * 16 * 1024)
    assert refusal(good) == tokens.TOO_LONG
    assert refusal("a" * (MAX_TOKEN_BYTES + 1)) == tokens.TOO_LONG
    assert refusal("a" * MAX_TOKEN_BYTES) == tokens.NO_COMPACT
