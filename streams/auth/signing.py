"""Signs tokens, for people who try things out and for services without an issuer of their own."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from streams.auth.asymmetric import signing
from streams.auth.keys import HMAC, hmac_key, public_key, sign_hmac
from streams.auth.results import BadKeys
from streams.auth.tokens import rules_of
from streams.conf.tokens import TokenSettings, split_secrets

NO_PRIVATE = "This PEM holds no private key that can be read; one with a password cannot."
NO_SIGNING = "This key signs nothing that pods take: RSA with 2048 bits or more, P-256 or Ed25519 do."


class SigningKey(NamedTuple):
    """An algorithm, and how it signs a message."""

    algorithm: str
    sign: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return f"SigningKey({self.algorithm})"


def signing_key(text: str) -> SigningKey:
    """Return the key that a secret or a private key as PEM is; raise BadKeys for one that is weak or none."""
    if "-----BEGIN" in text:
        return _private_key(text)
    secret = text.strip()
    hmac_key(secret)
    return SigningKey(HMAC, lambda message: sign_hmac(secret.encode(), message))


def signed(claims: Mapping[str, Any], key: SigningKey, kid: str = "") -> str:
    """Return a token with these claims; `kid` names the key to whoever verifies."""
    header = {"alg": key.algorithm, "typ": "JWT", **({"kid": kid} if kid else {})}
    message = f"{_encoded(msgspec.json.encode(header))}.{_encoded(msgspec.json.encode(claims))}"
    return f"{message}.{_encoded(key.sign(message.encode()))}"


def can_sign(conf: TokenSettings) -> bool:
    """Say whether there is a secret here with which pods take tokens."""
    return bool(conf.token_secret) and HMAC in (conf.token_algorithms or (HMAC,))


def stream_token(conf: TokenSettings, name: str, *, sub: str, now: float, seconds: float) -> str:
    """Return a token for the stream of one client, by the first secret; no longer than tokens may last here."""
    rules = rules_of(conf)
    seconds = min(seconds, rules.max_seconds) if rules.max_seconds else seconds
    claims = {
        **({"iss": rules.issuer} if rules.issuer else {}),
        "aud": rules.audience,
        "sub": sub,
        "iat": int(now),
        "exp": int(now + seconds),
        "sse": {"subscribe": [name]},
    }
    return signed(claims, signing_key(split_secrets(conf.token_secret)[0]))


def _private_key(text: str) -> SigningKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private: Any = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKeys(NO_PRIVATE) from None
    public = public_key(None, private.public_key())
    if public is None:
        raise BadKeys(NO_SIGNING)
    return SigningKey(public.algorithm, signing(private, public.algorithm))


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
