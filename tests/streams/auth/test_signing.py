from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from streams.auth.keys import WEAK_RSA, WEAK_SECRET, hmac_keys, read_keys
from streams.auth.results import BadKeys
from streams.auth.signing import NO_PRIVATE, NO_SIGNING, can_sign, signed, signing_key, stream_token
from streams.auth.tokens import Verifier, rules_of
from streams.conf.tokens import TokenSettings
from tests.streams.auth.issuer import (
    ALGORITHMS,
    NAME,
    NOW,
    OTHER_SECRET,
    SECRET,
    claims,
    jwk,
    jwks,
    keys,
    private,
    private_pem,
    public_pem,
    verifier,
)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signed_is_what_pods_verify(algorithm: str):
    key = signing_key(f" {SECRET}\n" if algorithm == "HS256" else private_pem(private(algorithm)))
    assert key.algorithm == algorithm
    assert verifier(keys(algorithm)).verify(signed(claims(), key), NOW).sub == NAME


def test_signed_names_its_key():
    locks = verifier(read_keys(jwks(jwk("EdDSA", "k1"))))
    key = signing_key(private_pem(private("EdDSA")))
    assert locks.verify(signed(claims(), key, "k1"), NOW).sub == NAME
    with pytest.raises(Exception, match="does not know"):
        locks.verify(signed(claims(), key, "k2"), NOW)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("short", WEAK_SECRET),
        ("", WEAK_SECRET),
        (public_pem(private("ES256")), NO_PRIVATE),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", NO_PRIVATE),
        (
            private("ES256")
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
            .decode(),
            NO_PRIVATE,
        ),
        (private_pem(rsa.generate_private_key(65537, 1024)), WEAK_RSA),
        (private_pem(ec.generate_private_key(ec.SECP384R1())), NO_SIGNING),
    ],
)
def test_signing_key_refuses(text: str, sentence: str):
    with pytest.raises(BadKeys) as refused:
        signing_key(text)
    assert str(refused.value) == sentence


def test_signing_key_shows_nothing_of_itself():
    assert repr(signing_key(SECRET)) == "SigningKey(HS256)"


@pytest.mark.parametrize("more", [{}, {"token_issuer": "login", "token_audience": "tills", "token_max_seconds": 20}])
def test_stream_token_opens_one_stream_for_a_while(more: dict[str, Any]):
    conf = TokenSettings(token_secret=f"{SECRET},{OTHER_SECRET}", **more)
    assert can_sign(conf)
    given = stream_token(conf, NAME, sub="alice", now=NOW, seconds=60)
    holder = Verifier(hmac_keys(SECRET), rules_of(conf)).verify(given, NOW)
    assert (holder.sub, holder.subscribe, holder.publish, holder.admin) == ("alice", (NAME,), (), frozenset())
    assert holder.expires_at - NOW == more.get("token_max_seconds", 60)


def test_can_sign_only_what_pods_take():
    assert not can_sign(TokenSettings())
    assert not can_sign(TokenSettings(token_secret=SECRET, token_algorithms=("RS256",)))
