"""The one reading of REDIS_URL for every connection of a pod."""

from __future__ import annotations

import functools
import os
import re
import ssl
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import redis
from redis.asyncio.connection import SSLConnection, parse_url

from streams.errors import ConfigurationError

LOGIN_OPTIONS = ("db", "password", "username")
# What redis-py's blocking and asyncio TLS connections both know; OCSP is known to the blocking one alone.
TLS_OPTIONS = (
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_exclude_verify_flags",
    "ssl_include_verify_flags",
    "ssl_keyfile",
    "ssl_min_version",
    "ssl_password",
)
TLS_PATHS = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
SCHEMES = ("redis", "rediss", "unix")
# redis-py takes any other word for true.
SWITCH_WORDS = ("true", "false", "yes", "no", "1", "0")


@functools.cache
def supported_url(url: str) -> str:
    """Return the URL where every connection of a pod can follow all that it says.

    Raises ConfigurationError for REDIS_URL, on one line and without any password in it:
    what one client would ignore or refuse is refused for all, at the start.
    """
    try:
        parts = _split(url)
        _check_place(parts)
        _check_options(parts)
        tls_context({**parse_url(url)})
    except _Unsupported as error:
        allowed = str(error)
    except (TypeError, ValueError, OSError, redis.RedisError) as error:
        # A file or a value of TLS; these sentences name an option and never a password.
        allowed = f"one that can be used ({error})"
    else:
        return url
    scheme, marks, _rest = url.partition("://")
    raise ConfigurationError("REDIS_URL", f"{scheme}://…" if marks and scheme.isalpha() else "…", allowed)


class _Unsupported(Exception):
    """What a URL must be, as the end of a sentence."""


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        # As asyncio will, before it asks for the host's addresses.
        (parts.hostname or "").encode("idna")
        usable = parts.scheme in SCHEMES and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _Unsupported("redis://, rediss:// or unix://, such as redis://user:password@host:6379/0")
    return parts


def _check_place(parts: SplitResult) -> None:
    if parts.fragment:
        raise _Unsupported("without a #, which in a password is written as %23")
    if parts.scheme == "unix":
        if parts.hostname or not parts.path:
            raise _Unsupported("unix:// and the path of a socket, such as unix:///run/redis.sock")
    elif not re.fullmatch("(/[0-9]+)?/?", parts.path):
        raise _Unsupported("with the number of a database behind the host; a / in a password is written as %2F")


def _check_options(parts: SplitResult) -> None:
    if "@" in parts.query:
        raise _Unsupported("without a ? in the password, where it is written as %3F, and without an @ behind it (%40)")
    supported = LOGIN_OPTIONS + (TLS_OPTIONS if parts.scheme == "rediss" else ())
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in TLS_OPTIONS and name not in supported:
            raise _Unsupported(f"rediss://, without which {name} has no meaning")
        if name not in supported:
            raise _Unsupported(f"without the option {_shown(name)}; supported: {', '.join(supported)}")
        if not value:
            raise _Unsupported(f"with a value for {name}")
        if name == "db" and not value.isdecimal():
            raise _Unsupported("with the number of a database for db")
        if name in TLS_PATHS and not os.access(value, os.R_OK):
            raise _Unsupported(f"with a path that can be read for {name}")
        if name == "ssl_check_hostname" and value.lower() not in SWITCH_WORDS:
            raise _Unsupported(f"with one of {', '.join(SWITCH_WORDS)} for {name}")


def _shown(name: str) -> str:
    # What is no word may be a piece of a password that was not encoded.
    return name if re.fullmatch("[a-z_]{2,40}", name) else "…"


def options_of(url: str) -> dict[str, Any]:
    """Return redis-py's reading of a URL."""
    return {**parse_url(supported_url(url))}


def tls_context(options: dict[str, Any]) -> ssl.SSLContext | None:
    """Return redis-py's own TLS settings, so that they are the same for all; None without TLS."""
    if options.get("connection_class") is not SSLConnection:
        return None
    given = {name: options[name] for name in TLS_OPTIONS if name in options}
    context: ssl.SSLContext = SSLConnection(**given).ssl_context.get()
    return context
