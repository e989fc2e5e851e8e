"""Passwords: stored alike on all pods, and checked without holding up a stream."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils.crypto import salted_hmac

from dashboard.login.threads import in_thread

SALT_LENGTH = 32
# A tenth of a busy core: a check then takes some seconds, and the lanes do not feel it.
NICENESS = 10
# A process of its own, as a thread that steps back would still hold the interpreter's lock where it
# is made to wait: with it all of the pod.
DERIVE = f"""
import hashlib, os, sys
os.nice({NICENESS})
iterations, digest, salt, password = sys.stdin.buffer.read().split(b"\\0", 3)
derived = hashlib.pbkdf2_hmac(digest.decode(), password, salt, int(iterations))
sys.stdout.buffer.write(derived)
"""
# A pod whose machine stands still gives up at last, and derives the key itself.
DERIVE_SECONDS = 60


class SharedSaltHasher(PBKDF2PasswordHasher):
    """Django's hasher with a salt of the deployment's own.

    Pods that have the same SECRET_KEY and were given the same password then store the
    same, so that a session which begins on one of them is known to all. What was stored
    otherwise is still read, and stored anew at the next login.
    """

    def salt(self) -> str:
        """Draw the salt from SECRET_KEY, so that nobody can compute digests ahead."""
        return salted_hmac("dashboard.login.passwords", "salt", algorithm="sha256").hexdigest()[:SALT_LENGTH]

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return what is stored of a password; PBKDF2 takes half a second of a core, elsewhere."""
        iterations = iterations or self.iterations
        derived = base64.b64encode(derive(password, salt, iterations, self.digest().name)).decode()
        return f"{self.algorithm}${iterations}${salt}${derived}"

    def must_update(self, encoded: str) -> bool:
        """Say whether a stored password is to be stored anew."""
        return super().must_update(encoded) or self.decode(encoded)["salt"] != self.salt()


def derive(password: str, salt: str, iterations: int, digest: str) -> bytes:
    """Return PBKDF2's key, derived in a process that steps back behind the streams."""
    given = f"{iterations}\0{digest}\0{salt}\0".encode() + password.encode()
    command = [sys.executable, "-I", "-S", "-c", DERIVE]
    try:
        # No descriptor of a pod is inheritable, and to close thousands of them would take its time.
        finished = subprocess.run(  # noqa: S603 - our own words
            command, input=given, capture_output=True, check=True, close_fds=False, timeout=DERIVE_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return hashlib.pbkdf2_hmac(digest, password.encode(), salt.encode(), iterations)
    return finished.stdout


class Busy(Exception):
    """Too many passwords wait to be checked."""


class PasswordChecker:
    """Checks passwords one at a time."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Say whether there is no place in the queue."""
        return self._waiting >= self._max_waiting

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue for a block; raise Busy where there is none."""
        if self.full:
            raise Busy
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def check(self, name: str, password: str) -> Any:
        """Return the user that has this name and password, or None; call it within place()."""
        return await in_thread("passwords", _check, name, password)


def _check(name: str, password: str) -> Any:
    return authenticate(username=name, password=password)
