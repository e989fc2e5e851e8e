"""How REDIS_URL is read, once for all connections."""

from __future__ import annotations

import inspect

import pytest
import redis.asyncio.connection
import redis.connection

from streams.broker.redis_url import TLS_OPTIONS, supported_url
from streams.errors import ConfigurationError

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


def test_tls_options_are_those_that_both_kinds_of_redis_py_know():
    def known(kind: type) -> set[str]:
        return {name for name in inspect.signature(kind).parameters if name.startswith("ssl_")}

    both = known(redis.connection.SSLConnection) & known(redis.asyncio.connection.SSLConnection)
    assert set(TLS_OPTIONS) == both
