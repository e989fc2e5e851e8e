from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.auth.keys import KeySet
from streams.auth.tokens import Rules, Verifier
from streams.conf import StreamSettings, read_settings
from streams.locks.fetching import FetchError
from streams.locks.sources import UNKNOWN_KID_SECONDS, FileSource, JwksSource, KeySources
from streams.tasks import cancel
from tests.streams.auth.issuer import NOW, SECRET, jwk, jwks, private, public_pem, token
from tests.streams.locks.issuers import GOOD, Issuer, running_issuer
from tests.support.waiting import eventually


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(KeySet(), Rules())


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(GOOD)
    return path


def settings(**changes: Any) -> StreamSettings:
    return msgspec.structs.replace(read_settings({}), **changes)


def write(path: Path, content: str | bytes | None) -> None:
    """Let a file have a content, or not be there."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


async def test_keys_of_all_sources_verify(verifier: Verifier, key_file: Path):
    key_sources = KeySources(settings(token_secret=SECRET, token_keys=str(key_file)), verifier)
    assert list(key_sources.runs) == ["token-keys"]
    assert key_sources.jwks_age_seconds is None
    source = FileSource(key_file, key_sources._take)
    await source.look()
    assert verifier.keys.algorithms == {"HS256", "RS256"}
    assert verifier.verify(token("RS256", kid="one"), NOW).sub
    assert verifier.verify(token(), NOW).sub
    write(key_file, public_pem(private("ES256")))
    await source.look()
    assert verifier.keys.algorithms == {"HS256", "ES256"}, "what the file no longer holds is gone"


async def test_unready_without_any_key(verifier: Verifier):
    key_sources = KeySources(settings(token_keys="/nowhere"), verifier)
    assert key_sources.unready_reason()
    verifier.change_keys(KeySet(KeySources(settings(token_secret=SECRET), verifier)._parts["TOKEN_SECRET"].keys))
    assert key_sources.unready_reason() == ""


@pytest.mark.parametrize("broken", ["{", "", '{"keys": []}', None, b"\xff\xfe"], ids=repr)
async def test_broken_file_keeps_the_last_good_keys_and_is_said_once(
    key_file: Path, caplog: pytest.LogCaptureFixture, broken: Any
):
    taken: list[KeySet] = []
    source = FileSource(key_file, lambda _name, keys: taken.append(keys))
    await source.look()
    write(key_file, broken)
    for _look in range(3):
        await source.look()
    assert len(taken) == 1
    assert [record.getMessage().startswith("TOKEN_KEYS: ") for record in caplog.records] == [True]
    write(key_file, GOOD)
    await source.look()
    assert len(taken) == 2


class Scripted:
    """A JWKS source whose issuer answers as it is told, on a clock of the test's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.answers: list[str | Exception] = []
        self.asked = 0
        self.taken: list[KeySet] = []
        self.source = JwksSource(
            "https://issuer",
            300,
            lambda _name, keys: self.taken.append(keys),
            read=self._read,
            clock=lambda: self.now,
        )

    def _read(self, _url: str) -> str:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else GOOD
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def scripted() -> Scripted:
    return Scripted()


@pytest.mark.parametrize("bad", [FetchError("it answers 500"), "<html>", '{"keys": []}', "{"], ids=repr)
async def test_jwks_that_is_bad_keeps_the_last_good_keys(
    scripted: Scripted, caplog: pytest.LogCaptureFixture, bad: str | Exception
):
    assert await scripted.source.read()
    scripted.now += 400
    assert scripted.source.age_seconds == 400
    scripted.answers = [bad, bad]
    for _try in range(2):
        assert not await scripted.source.read()
    assert (len(scripted.taken), scripted.source.errors, scripted.source.age_seconds) == (1, 2, 400)
    assert len(caplog.records) == 1
    assert await scripted.source.read()
    assert scripted.source.age_seconds == 0


async def test_jwks_that_is_as_it_was_is_no_error(scripted: Scripted):
    assert [await scripted.source.read() for _time in range(2)] == [True, True]
    assert scripted.taken[0] == scripted.taken[1]


async def test_unknown_kids_wake_one_read_in_their_time(scripted: Scripted, monkeypatch: pytest.MonkeyPatch):
    """However many there are; and the first waits too, where the keys were just read."""
    slept: list[float] = []
    go_on = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await go_on.wait()
        go_on.clear()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    run = asyncio.create_task(scripted.source.run())
    try:
        for number in range(1, 4):
            await reached(lambda number=number: scripted.asked == number)
            await reached(lambda number=number: len(scripted.taken) == number)
            scripted.now += 10
            for _kid in range(10_000):
                scripted.source.wake()
            await reached(lambda number=number: len(slept) == number)
            assert slept[-1] == UNKNOWN_KID_SECONDS - 10
            assert scripted.asked == number
            scripted.now += 20
            go_on.set()
    finally:
        await cancel([run])


async def reached(condition: Any) -> None:
    """Wait while the loop turns and its threads work, without the sleep that a test has taken away."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 10
    while not condition():
        assert loop.time() < deadline
        turn = loop.create_future()
        loop.call_later(0.005, turn.set_result, None)
        await turn


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


async def test_token_of_a_new_key_wakes_the_source(issuer: Issuer, verifier: Verifier):
    """The verifier asks for it, and does not wait."""
    conf = settings(token_jwks_url=issuer.url("/good"), token_jwks_seconds=300)
    key_sources = KeySources(conf, verifier)
    assert list(key_sources.runs) == ["token-jwks"]
    assert key_sources.jwks is not None
    run = asyncio.create_task(key_sources.jwks.run())
    try:
        await eventually("the keys", lambda: verifier.keys)
        assert verifier.verify(token("RS256", kid="one"), NOW).sub
        key_sources.jwks._good_at -= 60
        assert 60 <= (key_sources.jwks_age_seconds or 0) < 70
        key_sources.unknown_kid()
        assert key_sources.jwks._wanted.is_set()
    finally:
        await cancel([run])


async def test_too_many_keys_of_all_sources_change_nothing(verifier: Verifier, tmp_path: Path):
    file = tmp_path / "many"
    file.write_text(jwks(*(jwk("EdDSA", str(number)) for number in range(64))))
    key_sources = KeySources(settings(token_secret=SECRET, token_keys=str(file)), verifier)
    await FileSource(file, key_sources._take).look()
    assert len(verifier.keys) == 0
