from __future__ import annotations

import subprocess
import sys
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from streams.auth.keys import (
    MAX_KEYS,
    MAX_KEYS_BYTES,
    NO_JWKS,
    NO_KEYS,
    NO_PEM,
    PEM,
    PRIVATE,
    TOO_MANY,
    WEAK_RSA,
    WEAK_SECRET,
    KeySet,
    hmac_keys,
    read_keys,
)
from streams.auth.results import BadKeys
from tests.streams.auth.issuer import (
    ALGORITHMS,
    OTHER_SECRET,
    SECRET,
    jwk,
    jwks,
    private,
    private_pem,
    public_pem,
    token,
)

PUBLIC = ("RS256", "ES256", "EdDSA")


WEAK = jwt.get_algorithm_by_name("RS256").to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)


def refusal(text: str) -> str:
    with pytest.raises(BadKeys) as refused:
        read_keys(text)
    assert not [word for word in text.split() if len(word) > 20 and word in str(refused.value)]
    return str(refused.value)


def test_secrets_are_several_with_commas():
    keys = hmac_keys(f"{SECRET}, {OTHER_SECRET},")
    assert len(keys) == 2
    assert keys.algorithms == frozenset({"HS256"})
    assert not len(hmac_keys(""))


@pytest.mark.parametrize("secret", ["short", SECRET[:31], "x" * 50, "replace-me-" * 5, f"{SECRET},short"])
def test_weak_secrets_are_refused(secret: str):
    with pytest.raises(BadKeys) as refused:
        hmac_keys(secret)
    assert str(refused.value) == WEAK_SECRET


def test_pem_is_no_secret():
    """A public key is known to everybody, and so is what it would sign as a secret."""
    with pytest.raises(BadKeys) as refused:
        hmac_keys(public_pem(private("RS256")))
    assert str(refused.value) == PEM


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_pem_has_the_one_algorithm_of_its_key(algorithm: str):
    keys = read_keys("\n" + public_pem(private(algorithm)))
    assert [(key.kid, key.algorithm) for key in keys.keys] == [(None, algorithm)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_verifies_what_its_own_private_key_signed(algorithm: str):
    message, _dot, signature = token(algorithm).rpartition(".")
    (key,) = (hmac_keys(SECRET) if algorithm == "HS256" else read_keys(public_pem(private(algorithm)))).keys
    held = urlsafe_b64decode(signature + "==")
    assert key.verify(message.encode(), held)
    assert not key.verify(message.encode() + b"x", held)
    assert not key.verify(message.encode(), held[:-1])
    assert not key.verify(message.encode(), b"")


def test_pem_may_hold_several():
    assert read_keys("".join(public_pem(private(algorithm)) for algorithm in PUBLIC)).algorithms == {*PUBLIC}


def test_pem_may_be_a_certificate():
    key = private("ES256")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
    assert read_keys(pem) == read_keys(public_pem(key))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (private_pem(private("ES256")), PRIVATE),
        (public_pem(rsa.generate_private_key(65537, 1024)), WEAK_RSA),
        (public_pem(ec.generate_private_key(ec.SECP384R1())), NO_KEYS),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", NO_PEM),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", NO_PEM),
        ("-----BEGIN PUBLIC KEY-----\nAAAA", NO_PEM),
        ("<html>", NO_JWKS),
        ('{"keys": "\ud800"}', NO_JWKS),
        ("[" * 100_000, NO_JWKS),
        ("[]", NO_JWKS),
        ("{}", NO_JWKS),
        ('{"keys": {}}', NO_JWKS),
        (" " * (MAX_KEYS_BYTES + 1), TOO_MANY),
    ],
)
def test_read_keys_refuses(text: str, sentence: str):
    assert refusal(text) == sentence


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_jwks_key_has_the_one_algorithm_of_its_kind(algorithm: str):
    (key,) = read_keys(jwks(jwk(algorithm, "k1"))).keys
    assert (key.kid, key.algorithm) == ("k1", algorithm)
    assert read_keys(jwks(jwk(algorithm, "k1"))) == KeySet([key])


@pytest.mark.parametrize(
    "member",
    [
        7,
        {},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AQAB", "e": "!"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        WEAK,
        jwk("RS256", use="enc"),
        jwk("RS256", key_ops=["encrypt"]),
        jwk("RS256", alg="RS512"),
        jwk("RS256", alg="HS256"),
        jwk("ES256", alg="RS256"),
    ],
)
def test_jwks_passes_over_keys_for_other_things(member: Any):
    assert read_keys(jwks(member, jwk("EdDSA", alg="Ed25519", use="sig"))).algorithms == {"EdDSA"}
    assert refusal(jwks(member)) == NO_KEYS


def test_jwks_that_is_empty_is_none():
    assert refusal(jwks()) == NO_KEYS


@pytest.mark.parametrize("member", [jwk("EdDSA", d="AA"), {"kty": "oct", "k": "c2VjcmV0"}])
def test_jwks_with_a_secret_in_it_is_refused(member: Any):
    assert refusal(jwks(jwk("RS256"), member)) == PRIVATE


def test_jwks_is_bounded():
    assert refusal(jwks(*[jwk("EdDSA")] * (MAX_KEYS + 1))) == TOO_MANY
    keys = hmac_keys(SECRET)
    with pytest.raises(BadKeys, match=r"^More than 64 keys"):
        KeySet(keys.keys * (MAX_KEYS + 1))


def test_candidates_are_those_of_the_name_else_those_without_one():
    keys = read_keys(jwks(jwk("EdDSA", "a"), jwk("EdDSA", "b", 1), jwk("EdDSA", None, 2), jwk("ES256", "a")))
    a, b, nameless, other = keys.keys
    assert keys.candidates("EdDSA", "a") == [a]
    assert keys.candidates("EdDSA", "c") == [nameless]
    assert keys.candidates("EdDSA", None) == [a, b, nameless]
    assert keys.candidates("ES256", "b") == []
    assert keys.candidates("ES256", "a") == [other]
    assert [keys.knows(kid) for kid in "abc"] == [True, True, False]


def test_sets_with_the_same_keys_are_equal():
    a, b = jwk("EdDSA", "a"), jwk("EdDSA", "b", 1)
    assert read_keys(jwks(a, b)) == read_keys(jwks(b, a))
    assert hash(read_keys(jwks(a, b))) == hash(read_keys(jwks(b, a)))
    assert read_keys(jwks(a)) != read_keys(jwks(a, b))
    assert read_keys(jwks(a)) != read_keys(jwks(jwk("EdDSA", "a", 1)))
    assert read_keys(jwks(a)) + read_keys(jwks(b)) == read_keys(jwks(a, b))
    assert KeySet() != 0


def test_keys_show_nothing_of_themselves():
    keys = hmac_keys(SECRET) + read_keys(jwks(jwk("EdDSA", "a")))
    assert repr(keys.keys) == "(Key(HS256), Key(EdDSA))"


def test_secrets_load_neither_pyjwt_nor_cryptography():
    """These are 7 MiB of a pod, which only public keys are worth."""
    code = f"""
import sys
import streams.auth.decision
from streams.auth.keys import hmac_keys
from streams.auth.tokens import Rules, Verifier
from streams.auth.results import BadToken
try:
    Verifier(hmac_keys({SECRET!r}), Rules()).verify("e30.e30.e30", 1)
except BadToken:
    print(sorted({{"jwt", "cryptography", "django", "redis"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
