from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from pytest_django import Settings

from dashboard.login import passwords
from dashboard.login.passwords import Busy, PasswordChecker, SharedSaltHasher


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)


def test_the_same_password_is_stored_alike_wherever_the_key_is_the_same(settings: Settings):
    stored = make_password("four words of its own")
    assert make_password("four words of its own") == stored
    assert make_password("four other words") != stored
    settings.SECRET_KEY = "another deployment's, which nobody can compute ahead"
    assert make_password("four words of its own") != stored
    assert check_password("four words of its own", stored)


def test_a_password_that_was_stored_otherwise_is_read_and_stored_anew():
    before = PBKDF2PasswordHasher().encode("four words of its own", "aRandomSaltOfTwentyTwo", 1000)
    again: list[str] = []
    assert check_password("four words of its own", before, again.append)
    assert again == ["four words of its own"]
    assert not SharedSaltHasher().must_update(make_password("four words of its own"))


def test_a_password_is_derived_as_django_derives_it(monkeypatch: pytest.MonkeyPatch):
    for password in ("four words of its own", "pä\0ss wörd\n", ""):
        stored = SharedSaltHasher().encode(password, "salt", 1000)
        assert stored == PBKDF2PasswordHasher().encode(password, "salt", 1000)
        assert SharedSaltHasher().verify(password, stored)
    # Where no process can be had, here and now.
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert SharedSaltHasher().encode("", "salt", 1000) == stored


async def test_passwords_are_checked_one_at_a_time(monkeypatch: pytest.MonkeyPatch):
    inside = threading.Semaphore()

    def check(name: str, password: str) -> str:
        assert inside.acquire(blocking=False), "two at once"
        inside.release()
        return name

    monkeypatch.setattr(passwords, "_check", check)
    checker = PasswordChecker(3)

    async def ask(number: int) -> str:
        with checker.place():
            return str(await checker.check(f"user-{number}", ""))

    tasks = [asyncio.ensure_future(ask(number)) for number in range(3)]
    await asyncio.sleep(0)
    full = checker.full
    with pytest.raises(Busy), checker.place():
        raise AssertionError("a fourth has no place")
    assert await asyncio.gather(*tasks) == ["user-0", "user-1", "user-2"]
    assert (full, checker.full) == (True, False)
