"""The settings of the locks: who has to show a token, and how one is verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from streams.conf.variables import DAY_SECONDS, Form, Group, Name, Period, Seconds, is_strong
from streams.errors import ConfigurationError

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
LEAST_SECRET_BYTES = 32
COOKIES = {"production": "__Secure-sse_token", "development": "sse_token"}
# RFC 9110, section 5.6.2: what the name of a header or of a cookie is made of.
WORD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
SAID = "said when ENVIRONMENT is production: {}"


def split_secrets(text: str) -> list[str]:
    """Return each of the secrets that stand with commas between them; the first signs."""
    return [part.strip() for part in text.split(",") if part.strip()]


def is_strong_secret(secret: str) -> bool:
    """Say whether a secret is long enough for HS256, and nothing that everybody knows; a PEM is no secret."""
    return len(secret.encode()) >= LEAST_SECRET_BYTES and is_strong(secret, 1) and "-----BEGIN" not in secret


def _secrets(text: str) -> str:
    if not all(map(is_strong_secret, split_secrets(text))):
        raise ValueError("a weak one")
    return text


def _algorithms(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not set(names) <= set(ALGORITHMS):
        raise ValueError(text)
    return names


def _jwks_url(text: str) -> str:
    parts = urlsplit(text)
    usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.username is None
    if not usable or not text.isprintable() or " " in text:
        raise ValueError(text)
    return text


def _word(text: str) -> str:
    if WORD.fullmatch(text) is None:
        raise ValueError(text)
    return text


Secrets = Annotated[
    str,
    Form(
        "secret", f"{LEAST_SECRET_BYTES} or more random bytes, or several secrets of that length with commas", _secrets
    ),
]
Algorithms = Annotated[tuple[str, ...], Form("names", f"some of {', '.join(ALGORITHMS)}, with commas", _algorithms)]
JwksUrl = Annotated[str, Form("URL", "https://, such as https://login.example/.well-known/jwks.json", _jwks_url)]
CookieName = Annotated[str, Form("name", "the name of a cookie, in ASCII without blanks", _word)]
FilePath = Annotated[str, Form("path", "the path of a file")]


class TokenSettings(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """What a pod was told about tokens."""

    stream_auth: Annotated[
        Literal["off", "observe", "required"],
        Group("Tokens", "In production the first two have to be said."),
        Meta(
            description="whether a stream needs a token; `observe` lets everybody in, and counts and logs whom "
            "`required` would refuse",
            extra={"default": "`off` in development, none in production", "example": ""},
        ),
    ] = "off"
    publish_auth: Annotated[
        Literal["off", "required"],
        Meta(
            description="whether publishing through `/api/v1` needs a token; Redis has users of its own",
            extra={"default": "`off` in development, none in production", "example": ""},
        ),
    ] = "off"
    token_secret: Annotated[
        Secrets, Meta(description="signs and verifies HS256; of several the first signs, and all verify")
    ] = ""
    token_keys: Annotated[
        FilePath,
        Meta(description="a file with public keys, as JWKS or PEM; a file that changes is taken over while pods run"),
    ] = ""
    token_jwks_url: Annotated[
        JwksUrl,
        Meta(
            description="where an issuer serves its public keys, read in the background; needs `TOKEN_ISSUER`, and "
            "`https://` in production"
        ),
    ] = ""
    token_jwks_seconds: Annotated[Period, Meta(description="how often `TOKEN_JWKS_URL` is read")] = 300
    token_issuer: Annotated[Name, Meta(description="whose tokens are taken, as `iss` names it; not set, anybody's")] = (
        ""
    )
    token_audience: Annotated[
        Name,
        Meta(
            description="for whom a token has to be, as one of its `aud`; not set, `sse` where it names any, and it "
            "has to name that with `TOKEN_JWKS_URL`"
        ),
    ] = ""
    token_algorithms: Annotated[
        Algorithms,
        Meta(
            description="which algorithms are taken, of those that there are keys for", extra={"default": "all of them"}
        ),
    ] = ()
    token_leeway_seconds: Annotated[
        Seconds, Meta(ge=0, le=300, description="how far clocks may differ, for `exp`, `nbf` and `iat`")
    ] = 30
    token_max_seconds: Annotated[
        Seconds,
        Meta(
            ge=0, le=3660 * DAY_SECONDS, description="the longest time from `iat` to `exp` that is taken; 0 is no limit"
        ),
    ] = 0
    token_cookie: Annotated[
        CookieName,
        Meta(
            description="the cookie that a token is read from, for pages of the same origin or an allowed one",
            extra={"default": "`__Secure-sse_token` in production, `sse_token` in development", "example": ""},
        ),
    ] = COOKIES["development"]
    token_warn_seconds: Annotated[
        Seconds,
        Meta(ge=0, le=DAY_SECONDS, description="how long before its token ends a stream is told; 0 is not to be told"),
    ] = 60

    @property
    def has_token_keys(self) -> bool:
        """Say whether anything was named that tokens can be verified with."""
        return bool(self.token_secret or self.token_keys or self.token_jwks_url)


def add_defaults(given: dict[str, Any]) -> None:
    """Add what depends on the environment; raise ConfigurationError where production was not told what is open."""
    environment = given.get("environment", "development")
    if environment == "production":
        for name, words in (("stream_auth", "off, observe or required"), ("publish_auth", "off or required")):
            if name not in given:
                raise ConfigurationError(name.upper(), "", SAID.format(words))
    given.setdefault("token_cookie", COOKIES[environment])


def check_tokens(conf: TokenSettings, given: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for settings that would lock out everybody, or let in who should not be."""
    if conf.stream_auth != "off" and not conf.has_token_keys:
        raise ConfigurationError("STREAM_AUTH", conf.stream_auth, f"off without {_KEYS}")
    if conf.publish_auth != "off" and not conf.has_token_keys and not given.get("admin_token"):
        raise ConfigurationError("PUBLISH_AUTH", conf.publish_auth, f"off without {_KEYS}, or ADMIN_TOKEN")
    if conf.token_jwks_url and not conf.token_issuer:
        raise ConfigurationError("TOKEN_ISSUER", "", "the issuer whose keys TOKEN_JWKS_URL serves")
    if given.get("environment") == "production" and conf.token_jwks_url.startswith("http:"):
        raise ConfigurationError("TOKEN_JWKS_URL", "http://…", "https:// when ENVIRONMENT is production")


_KEYS = "TOKEN_SECRET, TOKEN_KEYS or TOKEN_JWKS_URL"
