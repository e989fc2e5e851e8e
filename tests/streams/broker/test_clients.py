"""How connections are made; none of them is opened here."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest
import redis
import redis.asyncio.connection
import redis.connection

from streams.broker import clients
from streams.broker.clients import LINK_ERRORS, address, async_client, blocking_client, in_turn
from streams.errors import ConfigurationError, RedisUnavailable


@pytest.mark.parametrize("make", [blocking_client, async_client, clients.pool_options, address])
def test_every_connection_is_refused_the_same_options(make: Any):
    with pytest.raises(ConfigurationError):
        make("rediss://redis.example?ssl_validate_ocsp=true")


def test_address_of_tcp():
    assert address("redis://user:p%40ss@redis.example:6380/3") == (
        "redis.example",
        6380,
        "",
        None,
        ("user", "p@ss"),
    )
    assert address("redis://") == ("localhost", 6379, "", None, None)


def test_address_of_a_unix_socket():
    target = address("unix:///run/redis%20one.sock?db=3&username=user&password=secret")
    assert (target.path, target.login) == ("/run/redis one.sock", ("user", "secret"))


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("redis://:secret@h", ("default", "secret")),
        ("redis://user@h", ("user", "")),
        ("redis://h", None),
    ],
)
def test_address_logs_in_as_redis_py_does(url: str, login: tuple[str, str] | None):
    assert address(url).login == login


def tls(url: str) -> ssl.SSLContext:
    context = address(url).tls
    assert context is not None
    return context


def test_address_follows_every_option_of_tls():
    assert tls("rediss://h").verify_mode is ssl.CERT_REQUIRED
    assert tls("rediss://h").check_hostname
    assert not tls("rediss://h?ssl_check_hostname=false").check_hostname
    assert tls("rediss://h?ssl_check_hostname=false").verify_mode is ssl.CERT_REQUIRED
    assert tls("rediss://h?ssl_cert_reqs=none").verify_mode is ssl.CERT_NONE
    assert tls("rediss://h?ssl_min_version=772").minimum_version is ssl.TLSVersion.TLSv1_3
    strict = tls("rediss://h?ssl_include_verify_flags=VERIFY_X509_STRICT").verify_flags
    assert strict & ssl.VERIFY_X509_STRICT
    assert len(tls("rediss://h?ssl_ciphers=ECDHE-RSA-AES128-GCM-SHA256").get_ciphers()) < len(
        tls("rediss://h").get_ciphers()
    )


def options_of(client: redis.Redis | redis.asyncio.Redis) -> dict[str, Any]:
    options: dict[str, Any] = client.connection_pool.connection_kwargs
    return options


@pytest.mark.parametrize("make", [blocking_client, async_client])
def test_client_has_the_timeouts_that_it_was_given(make: Any):
    options = options_of(make("redis://user:secret@redis.example:6380/3"))
    assert (options["socket_connect_timeout"], options["socket_timeout"]) == (5.0, 5.0)
    assert (options["host"], options["port"], options["db"]) == ("redis.example", 6380, 3)
    assert (options["username"], options["password"]) == ("user", "secret")
    options = options_of(make("redis://redis.example", connect_seconds=1, reply_seconds=2))
    assert (options["socket_connect_timeout"], options["socket_timeout"]) == (1, 2)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://h", clients.TcpConnection),
        ("rediss://h", clients.TlsConnection),
        ("unix:///run/redis.sock", redis.asyncio.connection.UnixDomainSocketConnection),
    ],
)
def test_pool_options_name_the_kind_of_connection(url: str, kind: type):
    assert clients.pool_options(url)["connection_class"] is kind


class Hosts:
    """A host with addresses of which some answer; the others swallow what they are sent, or refuse it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **addresses: str) -> None:
        self.tried: list[str] = []
        self._addresses = {name.replace("_", "."): answer for name, answer in addresses.items()}

        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            # Of one address there may be several kinds.
            return [(socket.AF_INET, 0, 0, "", (ip, port)) for ip in self._addresses for _ in range(2)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    async def attempt(self, ip: str) -> str:
        self.tried.append(ip)
        if self._addresses[ip] == "swallows":
            await asyncio.Event().wait()
        if self._addresses[ip] == "refuses":
            raise ConnectionRefusedError(ip)
        return ip


@pytest.mark.parametrize("first", ["swallows", "refuses"])
async def test_in_turn_goes_on_to_the_next_address(first: str, monkeypatch: pytest.MonkeyPatch):
    hosts = Hosts(monkeypatch, first=first, second="answers", third="answers")
    assert await in_turn("redis.example", 6379, 0.03, hosts.attempt) == "second"
    assert hosts.tried == ["first", "second"]


async def test_in_turn_ends_in_time_where_none_answers(monkeypatch: pytest.MonkeyPatch):
    hosts = Hosts(monkeypatch, first="swallows", second="swallows")
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await in_turn("redis.example", 6379, 0.2, hosts.attempt)
    assert asyncio.get_running_loop().time() - began >= 0.2, "the last has all the time that is left"
    assert hosts.tried == ["first", "second"]


async def test_in_turn_raises_the_last_error(monkeypatch: pytest.MonkeyPatch):
    hosts = Hosts(monkeypatch, first="refuses", second="refuses")
    with pytest.raises(ConnectionRefusedError, match="second"):
        await in_turn("redis.example", 6379, 1, hosts.attempt)


@pytest.mark.parametrize("error", [redis.TimeoutError("late"), ConnectionResetError("reset"), RuntimeError("uvloop")])
def test_link_errors_name_redis_without_its_password(error: Exception):
    assert isinstance(error, LINK_ERRORS)
    with (
        pytest.raises(RedisUnavailable) as unavailable,
        clients.link_errors("redis://user:hunter2@redis.example:6380/3"),
    ):
        raise error
    assert "Redis on redis.example:6380" in str(unavailable.value)
    assert str(error) in str(unavailable.value)
    assert "hunter2" not in str(unavailable.value)


def test_link_errors_let_others_pass():
    with pytest.raises(KeyError), clients.link_errors("redis://h"):
        raise KeyError
