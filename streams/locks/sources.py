"""Where the keys of tokens come from while a pod lives: secrets, a file that is watched, and an issuer's URL.

What was good once stays until something good replaces it, and no request waits for any of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from streams.auth.asymmetric import import_primitives
from streams.auth.keys import MAX_KEYS_BYTES, KeySet, hmac_keys, jwks_keys, read_keys
from streams.auth.results import BadKeys
from streams.auth.tokens import Verifier
from streams.conf.tokens import TokenSettings
from streams.locks.fetching import FetchError, fetch
from streams.logs import Sparingly
from streams.tasks import Backoff

logger = logging.getLogger("sse.auth")

LOOK_SECONDS = 5.0
# Names of keys are made up as easily as tokens.
UNKNOWN_KID_SECONDS = 30.0
RETRY_SECONDS = (1.0, 60.0)


class KeySources:
    """Gives a verifier its keys; `runs` goes on for as long as the pod lives."""

    def __init__(self, conf: TokenSettings, verifier: Verifier) -> None:
        self.runs: dict[str, Callable[[], Awaitable[None]]] = {}
        self.jwks: JwksSource | None = None
        self._verifier = verifier
        self._parts: dict[str, KeySet] = {"TOKEN_SECRET": hmac_keys(conf.token_secret)}
        if conf.token_keys:
            self.runs["token-keys"] = FileSource(Path(conf.token_keys), self._take).run
        if conf.token_jwks_url:
            self.jwks = JwksSource(conf.token_jwks_url, conf.token_jwks_seconds, self._take)
            self.runs["token-jwks"] = self.jwks.run
        if self.runs:
            # Here, as what a thread imports takes more memory.
            import_primitives()

    def unready_reason(self) -> str:
        """Return why nobody's token can be verified, or an empty string."""
        return "" if self._verifier.keys else "no key for tokens was read yet"

    @property
    def jwks_age_seconds(self) -> float | None:
        """For how many seconds an issuer gave no good keys, None where there is none."""
        return None if self.jwks is None else round(self.jwks.age_seconds, 1)

    def unknown_kid(self) -> None:
        """Look soon whether the issuer has a key that a token named."""
        if self.jwks is not None:
            self.jwks.wake()

    def _take(self, source: str, keys: KeySet) -> None:
        """Take the keys of a source in place of those that it gave before; raises BadKeys for too many."""
        parts = {**self._parts, source: keys}
        changed = self._verifier.change_keys(sum(parts.values(), KeySet()))
        self._parts = parts
        if changed:
            logger.info("%s: %d key(s) for tokens", source, len(keys))


class FileSource:
    """The file of TOKEN_KEYS, looked at again and again: a mounted Secret is replaced and not written to."""

    def __init__(self, path: Path, take: Callable[[str, KeySet], None]) -> None:
        self._path, self._take = path, take
        # What the last look found: the text, or why there was none.
        self._seen = ""

    async def run(self) -> None:
        """Take over what the file holds, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Take over the file if it is another one than before; what is broken is said once."""
        try:
            text = await asyncio.to_thread(read_text, self._path)
        except OSError as error:
            self._fail(error.strerror or type(error).__name__)
            return
        except UnicodeDecodeError:
            self._fail("it is no text")
            return
        if text != self._seen:
            self._seen = text
            try:
                # A large set takes a while to be read.
                self._take("TOKEN_KEYS", await asyncio.to_thread(read_keys, text))
            except BadKeys as error:
                self._say(str(error))

    def _fail(self, reason: str) -> None:
        if reason != self._seen:
            self._seen = reason
            self._say(f"{self._path} cannot be read: {reason}")

    def _say(self, reason: str) -> None:
        logger.error("TOKEN_KEYS: %s. The keys that were read before stay.", reason.rstrip("."))


def read_text(path: Path) -> str:
    """Return what a file holds, or a little more of it than may be taken; raises OSError or UnicodeDecodeError."""
    with path.open(encoding="utf-8") as file:
        return file.read(MAX_KEYS_BYTES + 1)


class JwksSource:
    """The keys that an issuer serves at TOKEN_JWKS_URL."""

    def __init__(
        self,
        url: str,
        seconds: float,
        take: Callable[[str, KeySet], None],
        *,
        read: Callable[[str], str] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.errors = 0
        self._url, self._seconds, self._take, self._read, self._clock = url, seconds, take, read, clock
        # When good keys were read last, or since when none were.
        self._good_at = clock()
        self._asked_at = float("-inf")
        self._wanted = asyncio.Event()
        self._backoff = Backoff(*RETRY_SECONDS)
        self._said = Sparingly(seconds=60.0)

    @property
    def age_seconds(self) -> float:
        """For how long no good keys were read."""
        return self._clock() - self._good_at

    def wake(self) -> None:
        """Read the keys soon: a token names one that is not there."""
        self._wanted.set()

    async def run(self) -> None:
        """Read the keys every so many seconds, until cancelled; sooner after a failure, or where one is wanted."""
        # An Event belongs to the loop that waits on it.
        self._wanted = asyncio.Event()
        while True:
            good = await self.read()
            await self._pause(self._seconds if good else min(self._seconds, self._backoff.next_seconds()))

    async def read(self) -> bool:
        """Read the keys once; say whether they were good."""
        self._wanted.clear()
        self._asked_at = self._clock()
        try:
            # The text is a stranger's, and may take a while.
            self._take("TOKEN_JWKS_URL", await asyncio.to_thread(self._read_keys))
        except (FetchError, BadKeys) as error:
            self.errors += 1
            if times := self._said.due():
                text = "TOKEN_JWKS_URL: %s (times: %d). The keys that were read before stay."
                logger.warning(text, str(error).rstrip("."), times)
            return False
        self._good_at = self._clock()
        self._backoff.reset()
        return True

    def _read_keys(self) -> KeySet:
        return jwks_keys(self._read(self._url))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
                await asyncio.sleep(max(0.0, self._asked_at + UNKNOWN_KID_SECONDS - self._clock()))
