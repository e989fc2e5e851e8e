"""The keys that tokens are verified with: shared secrets, and public keys from a PEM or a JWKS.

Each key belongs to one algorithm, so that no token can choose how its signature is looked at.
`cryptography` is imported with the first public key, and never for secrets alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from streams.auth.asymmetric import LEAST_RSA_BITS, algorithm_of, public_key_of, verifying
from streams.auth.results import BadKeys
from streams.conf.tokens import LEAST_SECRET_BYTES, is_strong_secret, split_secrets

MAX_KEYS = 64
MAX_KEYS_BYTES = 1024 * 1024
HMAC = "HS256"
# What msgspec raises for bytes and text that are no JSON, or not that of a type.
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)

WEAK_SECRET = f"A secret for tokens needs {LEAST_SECRET_BYTES} or more random bytes."
PEM = "A PEM is no secret for tokens: public keys belong in the file of TOKEN_KEYS."
PRIVATE = "This is a private key, or has one in it: pods verify, and need the public key alone."
NO_PEM = "There is no PUBLIC KEY or CERTIFICATE in this PEM that can be read."
NO_JWKS = 'This is no JWKS, which is a JSON object such as {"keys": [{"kty": "RSA", …}]}.'
NO_KEYS = (
    "None of these keys can verify RS256 (2048 bits or more), ES256 (P-256) or EdDSA (Ed25519): there is "
    "none, or none for signatures."
)
WEAK_RSA = f"An RSA key needs {LEAST_RSA_BITS} or more bits."
TOO_MANY = f"More than {MAX_KEYS} keys, or more than {MAX_KEYS_BYTES} bytes of them."


class Key(NamedTuple):
    """One key: its name or none, its algorithm, and how a signature is verified (message, signature)."""

    kid: str | None
    algorithm: str
    # Tells keys apart; what it is made of cannot be had from it.
    digest: bytes
    verify: Callable[[bytes, bytes], bool]

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return f"Key({self.algorithm})"


class KeySet:
    """The keys of a pod at one moment; sets with the same keys are equal."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys = tuple(keys)
        self._identity = frozenset((key.kid, key.algorithm, key.digest) for key in self.keys)
        if len(self.keys) > MAX_KEYS:
            raise BadKeys(TOO_MANY)

    def __len__(self) -> int:
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeySet) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __add__(self, other: KeySet) -> KeySet:
        """Return the keys of both."""
        return KeySet((*self.keys, *other.keys))

    @property
    def algorithms(self) -> frozenset[str]:
        """Return the algorithms that there are keys for."""
        return frozenset(key.algorithm for key in self.keys)

    def knows(self, kid: str) -> bool:
        """Say whether a key has this name."""
        return any(key.kid == kid for key in self.keys)

    def candidates(self, algorithm: str, kid: str | None) -> list[Key]:
        """Return the keys that may have signed: those of a name, else those without one; all where a token names none.

        A name is a hint among the keys that are trusted, and never where to look for others.
        """
        fitting = [key for key in self.keys if key.algorithm == algorithm]
        if kid is None:
            return fitting
        named = [key for key in fitting if key.kid == kid]
        return named or [key for key in fitting if key.kid is None]


def hmac_keys(secrets: str) -> KeySet:
    """Return the keys of HS256 from secrets with commas between them; raise BadKeys for a weak one."""
    return KeySet(hmac_key(part) for part in split_secrets(secrets))


def hmac_key(secret: str) -> Key:
    """Return the key of HS256 that a secret is."""
    if "-----BEGIN" in secret:
        raise BadKeys(PEM)
    held = secret.encode()
    if not is_strong_secret(secret):
        raise BadKeys(WEAK_SECRET)

    def verify(message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(sign_hmac(held, message), signature)

    return Key(None, HMAC, hashlib.sha256(b"secret " + held).digest(), verify)


def sign_hmac(secret: bytes, message: bytes) -> bytes:
    """Return the signature of HS256."""
    return hmac.digest(secret, message, "sha256")


def read_keys(text: str) -> KeySet:
    """Return the public keys of a file or an answer that is a JWKS or a PEM; raise BadKeys where none can be used."""
    if len(text) > MAX_KEYS_BYTES:
        raise BadKeys(TOO_MANY)
    return pem_keys(text) if "-----BEGIN" in text.lstrip()[:4096] and text.lstrip()[:1] != "{" else jwks_keys(text)


def pem_keys(text: str) -> KeySet:
    """Return the keys of a PEM, with one public key or certificate or several."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE KEY-----" in text:
        raise BadKeys(PRIVATE)
    keys = []
    for block in PEM_BLOCK.finditer(text):
        pem = block[0].encode()
        try:
            public = certified_key(pem) if block[1] == "CERTIFICATE" else load_pem_public_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BadKeys(NO_PEM) from None
        keys.append(public_key(None, public))
    if not keys:
        raise BadKeys(NO_PEM)
    return KeySet(_usable(keys))


def certified_key(pem: bytes) -> Any:
    """Return the key of a certificate; raises ValueError."""
    # Two megabytes that keys alone do not need.
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem).public_key()
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


class _Jwk(msgspec.Struct):
    """What of a key in a JWKS decides whether it is one for us."""

    kty: str
    kid: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None


def jwks_keys(text: str) -> KeySet:
    """Return the keys of a JWKS; those for other uses and of other kinds are passed over."""
    try:
        members = msgspec.json.decode(text, type=dict[str, Any]).get("keys")
    except UNREADABLE:
        raise BadKeys(NO_JWKS) from None
    if not isinstance(members, list):
        raise BadKeys(NO_JWKS)
    if len(members) > MAX_KEYS:
        raise BadKeys(TOO_MANY)
    return KeySet(_usable([_jwk_key(member) for member in members]))


def _jwk_key(member: Any) -> Key | None:
    try:
        jwk = msgspec.convert(member, _Jwk)
    except msgspec.ValidationError:
        return None
    # An `oct` is a secret: whoever serves one has given it away.
    if "d" in member or jwk.kty == "oct":
        raise BadKeys(PRIVATE)
    if jwk.use not in (None, "sig") or (jwk.key_ops is not None and "verify" not in jwk.key_ops):
        return None
    algorithm = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}.get((jwk.kty, jwk.crv))
    # RFC 9864 names EdDSA by its curve too.
    said = {"Ed25519": "EdDSA"}.get(jwk.alg or "", jwk.alg)
    if algorithm is None or said not in (None, algorithm):
        return None
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return public_key(jwk.kid, public_key_of(member, algorithm))
    except BadKeys:
        # A weak one among others must not be the end of those.
        return None
    except (ValueError, TypeError, LookupError, AttributeError, UnsupportedAlgorithm):
        return None


def public_key(kid: str | None, public: Any) -> Key | None:
    """Return the key with the one algorithm that is its own, or None for one that verifies nothing here."""
    name = algorithm_of(public)
    if name is None:
        return None
    if name == "RS256" and public.key_size < LEAST_RSA_BITS:
        raise BadKeys(WEAK_RSA)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    held = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(kid, name, hashlib.sha256(held).digest(), verifying(public, name))


def _usable(keys: Sequence[Key | None]) -> list[Key]:
    usable = [key for key in keys if key is not None]
    if not usable:
        raise BadKeys(NO_KEYS)
    return usable
