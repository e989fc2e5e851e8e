"""Verifies tokens: JWTs in the compact form, signed by a key of ours, at their time, and for us."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streams.auth.keys import UNREADABLE, KeySet
from streams.auth.results import BadToken, Result
from streams.auth.rights import MAX_PATTERNS, PATTERN_RULE, Holder, Right, is_pattern
from streams.conf.tokens import ALGORITHMS, TokenSettings

MAX_TOKEN_BYTES = 8 * 1024
# Each is some 500 bytes: a herd of 10,000 comes back to what was verified before.
MAX_CACHED = 20_000
# The year 9999 ends with it: no later date can be written.
MAX_MOMENT = 253_402_300_799
COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
# RFC 9068 names the second; a token that says to be something else was issued for something else.
TYPES = frozenset({"jwt", "at+jwt"})

TOO_LONG = f"The token is longer than {MAX_TOKEN_BYTES} bytes."
NO_COMPACT = "The token is no JWT in the compact form: three parts of base64url with dots between them."
ENCRYPTED = "The token is encrypted (JWE); it has to be a signed one (JWS)."
NO_HEADER = "The header of the token cannot be read."
CRITICAL = "The token asks with crit for an extension, and this service has none."
OTHER_TYPE = "The header of the token says that it is no JWT for access."
NO_ALGORITHM = "The token is signed with an algorithm that this service does not take, or not signed at all."
NO_KEY = "The token is signed with a key that this service does not know, or does not have yet."
BAD_SIGNATURE = "The signature of the token is not that of its key."
BAD_CLAIMS = (
    "A claim of the token is missing or of the wrong kind: exp is needed, times are numbers of seconds, sub and jti "
    "short printable text, sse an object."
)
BAD_PATTERN = f"A pattern of the token is none: {PATTERN_RULE}."
NOT_YET = "The token is not valid yet: see nbf and iat, and the clocks."
TOO_LASTING = "The token is valid for longer than this service allows, or does not say when it was issued."
OTHER_ISSUER = "The token is from another issuer."
OTHER_AUDIENCE = "The token is for another audience."
EXPIRED = "The token has expired."

Moment = Annotated[float, Meta(ge=0, le=MAX_MOMENT)]
# It stands in logs, and has to stay on its line.
Word = Annotated[str, Meta(max_length=256)]
Patterns = Annotated[tuple[str, ...], Meta(max_length=MAX_PATTERNS)]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a token has to be beside well signed; `max_seconds` is from its `iat` to its `exp`, 0 for any.

    An audience that a token names has to be ours, and one that is required has to be named.
    """

    issuer: str = ""
    audience: str = "sse"
    audience_required: bool = False
    algorithms: frozenset[str] = frozenset(ALGORITHMS)
    leeway_seconds: float = 30
    max_seconds: float = 0


class _Header(msgspec.Struct):
    alg: str
    typ: str = "JWT"
    kid: Word | None = None
    crit: Any = UNSET


class _Sse(msgspec.Struct):
    subscribe: Patterns = ()
    publish: Patterns = ()
    admin: frozenset[Literal["read", "act"]] = frozenset()


class _Claims(msgspec.Struct):
    exp: Moment
    iat: Moment = 0
    nbf: Moment = 0
    sub: Word = ""
    jti: Word = ""
    iss: str = ""
    aud: str | list[str] = ""
    sse: _Sse | UnsetType = UNSET


_read_header = msgspec.json.Decoder(_Header).decode
_read_claims = msgspec.json.Decoder(_Claims).decode


class Verifier:
    """Verifies tokens with the keys of the moment, and remembers those that it has seen."""

    def __init__(
        self,
        keys: KeySet,
        rules: Rules,
        *,
        on_unknown_kid: Callable[[], None] = lambda: None,
        max_cached: int = MAX_CACHED,
    ) -> None:
        """Take keys and rules; `on_unknown_kid` is called for each token that names a key that is not there."""
        self._keys = keys
        self._rules = rules
        self._on_unknown_kid = on_unknown_kid
        self._max_cached = max_cached
        # By the hash of a token: the token itself stays nowhere.
        self._cache: OrderedDict[bytes, Holder] = OrderedDict()

    @property
    def keys(self) -> KeySet:
        """Return the keys of the moment."""
        return self._keys

    @property
    def rules(self) -> Rules:
        """Return what is asked of a token."""
        return self._rules

    def change_keys(self, keys: KeySet) -> bool:
        """Take other keys from now on, and forget what the old ones verified; return False for the same keys."""
        if keys == self._keys:
            return False
        self._keys = keys
        self._cache.clear()
        return True

    def verify(self, token: str, now: float) -> Holder:
        """Return whom a token names, at a moment in Unix time; raise BadToken for one that opens nothing."""
        if len(token) > MAX_TOKEN_BYTES:
            raise BadToken(Result.INVALID, TOO_LONG)
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        holder = self._cache.get(digest)
        if holder is None:
            holder = self._holder(token, now)
            self._remember(digest, holder)
        else:
            self._cache.move_to_end(digest)
        if now >= holder.expires_at + self._rules.leeway_seconds:
            self._cache.pop(digest, None)
            raise BadToken(Result.EXPIRED, EXPIRED, holder)
        return holder

    def _remember(self, digest: bytes, holder: Holder) -> None:
        self._cache[digest] = holder
        if len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)

    def _holder(self, token: str, now: float) -> Holder:
        """Return the holder of a token that is right in all but perhaps its end."""
        try:
            claims = _read_claims(self._payload(token))
        except UNREADABLE:
            raise BadToken(Result.INVALID, BAD_CLAIMS) from None
        problem = problem_of(claims, self._rules, now)
        if problem:
            raise BadToken(Result.INVALID, problem)
        return holder_of(claims)

    def _payload(self, token: str) -> bytes:
        """Return the payload of a token whose signature is right."""
        form = COMPACT.fullmatch(token)
        if form is None:
            raise BadToken(Result.INVALID, ENCRYPTED if token.count(".") == 4 else NO_COMPACT)
        header, payload, signature = (_decoded(part) for part in form.groups())
        message = token[: form.end(2)].encode()
        self._check_signature(_header(header), message, signature)
        return payload

    def _check_signature(self, header: _Header, message: bytes, signature: bytes) -> None:
        if header.alg not in self._rules.algorithms or header.alg not in self._keys.algorithms:
            raise BadToken(Result.INVALID, NO_ALGORITHM)
        keys = self._keys.candidates(header.alg, header.kid)
        if any(key.verify(message, signature) for key in keys):
            return
        if header.kid is not None and not self._keys.knows(header.kid):
            self._on_unknown_kid()
        raise BadToken(Result.INVALID, BAD_SIGNATURE if keys else NO_KEY)


def _header(text: bytes) -> _Header:
    try:
        header = _read_header(text)
    except UNREADABLE:
        raise BadToken(Result.INVALID, NO_HEADER) from None
    if header.crit is not UNSET:
        raise BadToken(Result.INVALID, CRITICAL)
    if header.typ.lower().removeprefix("application/") not in TYPES:
        raise BadToken(Result.INVALID, OTHER_TYPE)
    return header


def _decoded(part: str) -> bytes:
    """Decode base64url without padding, of which there is one spelling for each content."""
    try:
        decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        decoded = b""
    if urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        raise BadToken(Result.INVALID, NO_COMPACT)
    return decoded


def problem_of(claims: _Claims, rules: Rules, now: float) -> str:
    """Return what is wrong with claims beside their end, as a sentence; nothing where they are right."""
    if not (claims.sub + claims.jti).isprintable():
        return BAD_CLAIMS
    if max(claims.nbf, claims.iat) > now + rules.leeway_seconds:
        return NOT_YET
    if rules.max_seconds and (not claims.iat or claims.exp - claims.iat > rules.max_seconds):
        return TOO_LASTING
    if rules.issuer and claims.iss != rules.issuer:
        return OTHER_ISSUER
    audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if rules.audience not in audiences and (rules.audience_required or any(audiences)):
        return OTHER_AUDIENCE
    if claims.sse is not UNSET and not all(map(is_pattern, (*claims.sse.subscribe, *claims.sse.publish))):
        return BAD_PATTERN
    return ""


def holder_of(claims: _Claims) -> Holder:
    """Return the holder whom claims name; without `sse` they are of the one client that is their `sub`."""
    sse = claims.sse
    if sse is UNSET:
        # A sub that ends in * is a name that no client has, and no pattern.
        sse = _Sse(subscribe=(claims.sub,) if is_pattern(claims.sub) and not claims.sub.endswith("*") else ())
    admin = frozenset(map(Right, sse.admin))
    return Holder(claims.sub, claims.jti, claims.iat, claims.exp, sse.subscribe, sse.publish, admin)


def rules_of(conf: TokenSettings) -> Rules:
    """Return the rules that a pod was told."""
    return Rules(
        issuer=conf.token_issuer,
        audience=conf.token_audience or "sse",
        audience_required=bool(conf.token_audience or conf.token_jwks_url),
        algorithms=frozenset(conf.token_algorithms) or frozenset(ALGORITHMS),
        leeway_seconds=conf.token_leeway_seconds,
        max_seconds=conf.token_max_seconds,
    )
