from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.locks.fetching import FetchError, fetch, refuse_link_local
from tests.streams.locks.issuers import GOOD, Issuer, running_issuer
from tests.support.links.tls import Authority


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.mark.parametrize("path", ["/good", "/to/here"])
def test_fetch_returns_what_there_is(issuer: Issuer, path: str):
    assert fetch(issuer.url(path)) == GOOD


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/error", "it answers 500"),
        ("/to/away", "it sends on to another scheme or host"),
        ("/to/cloud", "it sends on to another scheme or host"),
        ("/to/other-name", "it sends on to another scheme or host"),
        ("/endless", "it answers with more than 100000 bytes"),
        ("/cut", "its answer ended before its end"),
    ],
)
def test_fetch_refuses(issuer: Issuer, path: str, reason: str):
    with pytest.raises(FetchError) as refused:
        fetch(issuer.url(path), max_bytes=100_000)
    assert str(refused.value) == reason


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_fetch_ends_in_time_whoever_does_not(issuer: Issuer, path: str):
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"it gives no whole answer within 0\.3 s"):
        fetch(issuer.url(path), seconds=0.3)
    assert time.monotonic() - began < 5


def test_fetch_of_what_is_not_there():
    with pytest.raises(FetchError, match=r"it cannot be asked \(ConnectionRefusedError\)"):
        fetch("http://127.0.0.1:1/keys")


def test_fetch_verifies_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    authority = Authority(tmp_path)
    with running_issuer(authority.server_context("localhost")) as issuer:
        url = f"https://localhost:{issuer.port}/good"
        with pytest.raises(FetchError, match=r"it cannot be asked \(SSLCertVerificationError\)"):
            fetch(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        assert fetch(url) == GOOD


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"])
def test_refuse_link_local(address: str):
    closed: list[bool] = []
    connected: Any = SimpleNamespace(getpeername=lambda: (address, 80), close=lambda: closed.append(True))
    with pytest.raises(FetchError, match="link-local"):
        refuse_link_local(connected)
    assert closed


def test_fetch_looks_where_a_name_led_before_it_asks(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    def refuse(_connected: Any) -> None:
        raise FetchError("its name leads to a link-local address")

    monkeypatch.setattr("streams.locks.fetching.refuse_link_local", refuse)
    before = list(issuer.asked)
    with pytest.raises(FetchError, match="link-local"):
        fetch(issuer.url("/good"))
    assert issuer.asked == before
