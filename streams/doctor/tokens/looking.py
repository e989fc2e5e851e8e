"""Reads the keys of tokens as pods read them: secrets, a file, and an issuer's address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from streams.auth.keys import KeySet, hmac_keys, jwks_keys, read_keys
from streams.auth.results import BadKeys
from streams.auth.tokens import Verifier, rules_of
from streams.conf import StreamSettings
from streams.doctor.findings import Finding
from streams.doctor.tokens.judging import (
    Source,
    judge_algorithms,
    judge_locks,
    judge_secrets,
    judge_source,
    judge_token,
)
from streams.locks.fetching import FetchError, fetch
from streams.locks.sources import read_text


async def look_at_tokens(conf: StreamSettings, token: str) -> list[Finding]:
    """Look at the locks and the keys of the settings, and at a token where one was given."""
    sources = await asyncio.gather(*(asyncio.to_thread(read_source, *each) for each in sources_of(conf)))
    keys = sum((source.keys for source in sources if source.keys is not None), hmac_keys(conf.token_secret))
    found = [judge_locks(conf), *judge_secrets(conf), *map(judge_source, sources), *judge_algorithms(conf, keys)]
    if token:
        found.append(judge_token(token, Verifier(keys, rules_of(conf)), time.time()))
    return found


def sources_of(conf: StreamSettings) -> list[tuple[str, str, Callable[[], KeySet]]]:
    """Return what is to be read: its line, its variable, and how."""
    sources: list[tuple[str, str, Callable[[], KeySet]]] = []
    if conf.token_keys:
        sources.append(("key file", "TOKEN_KEYS", lambda: read_keys(read_text(Path(conf.token_keys)))))
    if conf.token_jwks_url:
        sources.append(("jwks", "TOKEN_JWKS_URL", lambda: jwks_keys(fetch(conf.token_jwks_url))))
    return sources


def read_source(check: str, variable: str, read: Callable[[], KeySet]) -> Source:
    """Read keys; blocks for FETCH_SECONDS at most."""
    began = time.monotonic()
    try:
        return Source(check, variable, read(), seconds=time.monotonic() - began)
    except (BadKeys, FetchError) as error:
        return Source(check, variable, error=str(error))
    except UnicodeDecodeError:
        return Source(check, variable, error="it is no text")
    except OSError as error:
        return Source(check, variable, error=f"it cannot be read: {error.strerror or type(error).__name__}")
