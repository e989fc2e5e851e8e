"""How REDIS_URL is read, once for all connections; none of them is opened here."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
from typing import Any

import pytest
import redis
import redis.asyncio.connection
import redis.connection

from streams.broker import clients
from streams.broker.clients import LINK_ERRORS, address, async_client, blocking_client, in_turn, supported_url
from streams.errors import ConfigurationError, RedisUnavailable

SUPPORTED = [
    "redis://localhost",
    "redis://redis.example:6380/",
    "redis://user:password@redis.example:6380/3",
    "redis://:p%40%2F%23%3F@redis.example",
    "redis://[::1]:6379/0",
    "redis://redis.example?db=3&username=user&password=password",
    "unix:///run/redis.sock?db=3&password=password",
    "unix://user:password@/run/redis.sock",
    "rediss://redis.example:6380/0",
    "rediss://redis.example?ssl_cert_reqs=none",
    "rediss://redis.example?ssl_cert_reqs=optional&ssl_check_hostname=False",
    "rediss://redis.example?ssl_min_version=771&ssl_ciphers=ECDHE",
    "rediss://redis.example?ssl_include_verify_flags=VERIFY_X509_STRICT,VERIFY_X509_PARTIAL_CHAIN",
]

UNSUPPORTED = [
    ("http://redis.example", "redis://, rediss:// or unix://"),
    ("redis.example:6379", "redis://, rediss:// or unix://"),
    ("redis://redis.example:0", "redis://, rediss:// or unix://"),
    ("redis://redis.example:99999", "redis://, rediss:// or unix://"),
    ("redis://redis..example", "redis://, rediss:// or unix://"),
    ("redis://[::1", "redis://, rediss:// or unix://"),
    ("redis://:hunter2", "redis://, rediss:// or unix://"),
    ("hunter2://redis.example", "redis://, rediss:// or unix://"),
    ("redis://user:hunter2?@redis.example", "redis://, rediss:// or unix://"),
    ("redis://:6379?hunter2@redis.example", "%3F"),
    ("redis://:6379#hunter2@redis.example", "%23"),
    ("redis://:6379/hunter2@redis.example", "%2F"),
    ("redis://redis.example/three", "number of a database"),
    ("redis://redis.example/1/2", "number of a database"),
    ("redis://redis.example?db=-1", "number of a database"),
    ("redis://redis.example?db=", "a value for db"),
    ("unix://run/redis.sock", "unix:///run/redis.sock"),
    ("unix://", "unix:///run/redis.sock"),
    ("redis://redis.example?protocol=3", "without the option protocol"),
    ("redis://:hunter2@redis.example?socket_timeout=1", "without the option socket_timeout"),
    ("redis://redis.example?health_check_interval=10", "without the option health_check_interval"),
    ("redis://redis.example?max_connections=1", "without the option max_connections"),
    ("rediss://redis.example?ssl_validate_ocsp=true", "without the option ssl_validate_ocsp"),
    ("rediss://redis.example?ssl_ca_cert=ca.pem", "without the option ssl_ca_cert; supported: db"),
    ("redis://redis.example?hunter2", "without the option …"),
    ("redis://redis.example?ssl_cert_reqs=none", "rediss://"),
    ("unix:///run/redis.sock?ssl_cert_reqs=none", "rediss://"),
    ("rediss://redis.example?ssl_cert_reqs=CERT_NONE", "CERT_NONE"),
    ("rediss://redis.example?ssl_check_hostname=off", "one of true, false"),
    ("rediss://redis.example?ssl_min_version=1.2", "ssl_min_version"),
    ("rediss://redis.example?ssl_min_version=2", "can be used"),
    ("rediss://redis.example?ssl_ciphers=NONE-SUCH", "can be used"),
    ("rediss://redis.example?ssl_include_verify_flags=STRICT", "ssl_include_verify_flags"),
    ("rediss://redis.example?ssl_ca_certs=/nowhere/ca.pem", "can be read for ssl_ca_certs"),
    ("rediss://redis.example?ssl_ca_path=/nowhere", "can be read for ssl_ca_path"),
    ("rediss://redis.example?ssl_certfile=/nowhere/c.pem&ssl_password=hunter2", "can be read for ssl_certfile"),
    ("rediss://redis.example?ssl_keyfile=/dev/null", "can be used"),
    ("rediss://redis.example?ssl_ca_data=hunter2", "can be used"),
]


@pytest.mark.parametrize("url", SUPPORTED)
def test_supported_url_returns_it(url: str):
    assert supported_url(url) == url


@pytest.mark.parametrize(("url", "sentence"), UNSUPPORTED)
def test_supported_url_refuses_what_some_connection_would_not_follow(url: str, sentence: str):
    with pytest.raises(ConfigurationError) as refused:
        supported_url(url)
    text = str(refused.value)
    assert text.startswith("REDIS_URL is ")
    assert sentence in text
    assert "\n" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize("make", [blocking_client, async_client, clients.pool_options, address])
def test_every_connection_is_refused_the_same_options(make: Any):
    with pytest.raises(ConfigurationError):
        make("rediss://redis.example?ssl_validate_ocsp=true")


def test_tls_options_are_those_that_both_kinds_of_redis_py_know():
    def known(kind: type) -> set[str]:
        return {name for name in inspect.signature(kind).parameters if name.startswith("ssl_")}

    both = known(redis.connection.SSLConnection) & known(redis.asyncio.connection.SSLConnection)
    assert set(clients.TLS_OPTIONS) == both


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
