"""Signatures by public keys: which algorithm is a key's own, and what verifies it; pure.

Of `cryptography` only what signs and verifies is imported, and that with the first such key: PyJWT, which verifies by
the same functions, would take two megabytes more of each pod. https://www.rfc-editor.org/rfc/rfc7518#section-3
"""

from __future__ import annotations

import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

# Bytes of each of the two numbers that a signature by P-256 is.
P256_BYTES = 32
LEAST_RSA_BITS = 2048
SERIALIZATION = "cryptography.hazmat.primitives.serialization"


def import_primitives() -> None:
    """Import what the functions of this module import, without what reads the keys of SSH, which sign no token."""
    if SERIALIZATION not in sys.modules:
        ssh = ModuleType(f"{SERIALIZATION}.ssh")
        # Whatever is asked of it; it would take most of a megabyte.
        ssh.__getattr__ = lambda _name: None  # type: ignore[method-assign]
        sys.modules[ssh.__name__] = ssh
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: F401
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils  # noqa: F401


def algorithm_of(key: Any) -> str | None:
    """Return the one algorithm of a public or private key, None for one that has none here."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return "ES256" if isinstance(key.curve, ec.SECP256R1) else None
    return "EdDSA" if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey) else None


def verifying(public: Any, algorithm: str) -> Callable[[bytes, bytes], bool]:
    """Return what says whether a message has a signature by a key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    def by_rsa(message: bytes, signature: bytes) -> None:
        public.verify(signature, message, PKCS1v15(), SHA256())

    def by_p256(message: bytes, signature: bytes) -> None:
        if len(signature) != 2 * P256_BYTES:
            raise InvalidSignature
        parts = signature[:P256_BYTES], signature[P256_BYTES:]
        r, s = (int.from_bytes(part, "big") for part in parts)
        public.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))

    def by_ed25519(message: bytes, signature: bytes) -> None:
        public.verify(signature, message)

    check = {"RS256": by_rsa, "ES256": by_p256, "EdDSA": by_ed25519}[algorithm]

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            check(message, signature)
        except InvalidSignature:
            return False
        return True

    return verify


def signing(private: Any, algorithm: str) -> Callable[[bytes], bytes]:
    """Return what signs a message with a key."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    def by_p256(message: bytes) -> bytes:
        numbers = decode_dss_signature(private.sign(message, ECDSA(SHA256())))
        return b"".join(number.to_bytes(P256_BYTES, "big") for number in numbers)

    ways: dict[str, Callable[[bytes], bytes]] = {
        "RS256": lambda message: private.sign(message, PKCS1v15(), SHA256()),
        "ES256": by_p256,
        "EdDSA": private.sign,
    }
    return ways[algorithm]


def public_key_of(jwk: Mapping[str, Any], algorithm: str) -> Any:
    """Return the public key that a member of a JWKS is; raises ValueError, TypeError, LookupError or AttributeError."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm == "RS256":
        return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    if algorithm == "ES256":
        return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1()).public_key()
    return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk["x"]))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    # Other characters would be passed over.
    if not text.replace("-", "A").replace("_", "A").isalnum() or not text.isascii():
        raise ValueError("not Base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
