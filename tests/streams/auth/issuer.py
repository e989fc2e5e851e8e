"""Tokens as issuers make them, and as nobody should."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from streams.auth.keys import KeySet, hmac_keys, read_keys
from streams.auth.results import BadToken, Result
from streams.auth.tokens import Rules, Verifier

NOW = 1_800_000_000.0
HEADER = {"alg": "HS256", "typ": "JWT"}
NAME = "STORE001-LANE01"
SECRET = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
OTHER_SECRET = "only-for-tests-9876543210-zyxwvutsrqponmlkjihgfedcba"
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")


def private(algorithm: str, number: int = 0) -> Any:
    """Return the private key of an issuer; another one for each number."""
    return _private(algorithm, number)


@cache
def _private(algorithm: str, _number: int) -> Any:
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def jwk(algorithm: str, kid: str | None = None, number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a public key as a JWKS holds it."""
    held = jwt.get_algorithm_by_name(algorithm).to_jwk(private(algorithm, number).public_key(), as_dict=True)
    held.pop("key_ops", None)
    return {**held, **({} if kid is None else {"kid": kid}), **more}


def jwks(*members: Any) -> str:
    return msgspec.json.encode({"keys": members}).decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of an ordinary device; a change to None takes a claim away."""
    usual = {"sub": NAME, "iat": NOW - 60, "exp": NOW + 3600}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def key_of(algorithm: str) -> Any:
    return SECRET if algorithm == "HS256" else private(algorithm)


def token(algorithm: str = "HS256", key: Any = None, kid: str | None = None, **changes: Any) -> str:
    """Return a token that is signed as PyJWT signs."""
    headers = None if kid is None else {"kid": kid}
    return jwt.encode(claims(**changes), key or key_of(algorithm), algorithm, headers)


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def forged(header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes | None = None, key: str = SECRET) -> str:
    """Return a token with any header and payload, signed as HS256."""
    parts = [header, claims() if payload is None else payload]
    written = [encoded(part if isinstance(part, bytes) else msgspec.json.encode(part)) for part in parts]
    message = ".".join(written)
    return f"{message}.{encoded(hmac.digest(key.encode(), message.encode(), hashlib.sha256))}"


def keys(algorithm: str = "HS256") -> KeySet:
    return hmac_keys(SECRET) if algorithm == "HS256" else read_keys(public_pem(private(algorithm)))


def verifier(key_set: KeySet | None = None, **rules: Any) -> Verifier:
    return Verifier(keys() if key_set is None else key_set, Rules(**rules))


def refusal(given: str, locks: Verifier | None = None, now: float = NOW, result: Result = Result.INVALID) -> str:
    """Return why a token is refused, in a sentence that holds nothing of it."""
    with pytest.raises(BadToken) as bad:
        (locks or verifier()).verify(given, now)
    assert bad.value.result is result
    assert not [part for part in given.split(".") if len(part) > 8 and part in bad.value.sentence]
    return bad.value.sentence
