"""Passwords: stored alike on all pods, and checked without holding up a stream."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import close_old_connections
from django.utils.crypto import salted_hmac

SALT_LENGTH = 32
# The least that Linux gives: the loop's own thread comes first on a busy core.
NICENESS = 19


class SharedSaltHasher(PBKDF2PasswordHasher):
    """Django's hasher with a salt of the deployment's own.

    Pods that have the same SECRET_KEY and were given the same password then store the
    same, so that a session which begins on one of them is known to all. What was stored
    otherwise is still read, and stored anew at the next login.
    """

    def salt(self) -> str:
        """Draw the salt from SECRET_KEY, so that nobody can compute digests ahead."""
        return salted_hmac("dashboard.login.passwords", "salt", algorithm="sha256").hexdigest()[:SALT_LENGTH]

    def must_update(self, encoded: str) -> bool:
        """Say whether a stored password is to be stored anew."""
        return super().must_update(encoded) or self.decode(encoded)["salt"] != self.salt()


class Busy(Exception):
    """Too many passwords wait to be checked."""


class PasswordChecker:
    """Checks passwords one at a time, in a thread that steps back behind the streams."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue for a block; raise Busy where there is none."""
        if self._waiting >= self._max_waiting:
            raise Busy
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def check(self, name: str, password: str) -> Any:
        """Return the user that has this name and password, or None; call it within place()."""
        return await asyncio.get_running_loop().run_in_executor(_thread(), _check, name, password)


@functools.cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="passwords", initializer=_step_back)


def _step_back() -> None:
    # Niceness is each thread's own on Linux alone, where a pod runs.
    with contextlib.suppress(OSError):
        if os.uname().sysname == "Linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _check(name: str, password: str) -> Any:
    close_old_connections()
    try:
        return authenticate(username=name, password=password)
    finally:
        close_old_connections()
