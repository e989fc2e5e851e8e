from __future__ import annotations

from ipaddress import ip_address

import msgspec
import pytest

from streams.conf import read_settings, redis_place
from streams.conf.django_settings import DjangoSettings, read_django_settings
from streams.errors import ConfigurationError
from tests.support.pods import LOCKS_OFF, documented_variables


def test_the_defaults_are_those_of_the_contract():
    conf = read_settings({})
    assert (conf.port, conf.pod_name, conf.environment) == (3000, "local-pod", "development")
    assert (conf.redis_url, conf.redis_channel) == ("redis://localhost:6379", "events-to-store")
    assert (conf.redis_host, conf.redis_port, conf.redis_is_default) == ("localhost", 6379, True)
    assert (conf.log_level, conf.log_format) == ("info", "text")
    assert (conf.heartbeat_seconds, conf.dead_after_seconds) == (30, 15)
    assert conf.max_event_bytes == 256 * 1024
    assert conf.cors_allowed_origins == {"*"}
    assert not conf.production


def test_an_empty_variable_counts_as_not_set():
    assert read_settings(dict.fromkeys(documented_variables(), "")) == read_settings({})
    assert read_settings(dict.fromkeys(documented_variables(), "  ")) == read_settings({})


def test_in_production_no_other_origin_may_read_unless_it_is_listed():
    assert read_settings({"ENVIRONMENT": "production", **LOCKS_OFF}).cors_allowed_origins == frozenset()
    conf = read_settings(
        {"ENVIRONMENT": "Production", **LOCKS_OFF, "CORS_ALLOWED_ORIGINS": "https://a.example, https://b.example/"}
    )
    assert conf.production
    assert conf.cors_allowed_origins == {"https://a.example", "https://b.example"}


@pytest.mark.parametrize(
    ("values", "url", "host", "port"),
    [
        ({"REDIS_HOST": "redis"}, "redis://redis:6379", "redis", 6379),
        ({"REDIS_PORT": "7000"}, "redis://localhost:7000", "localhost", 7000),
        ({"REDIS_HOST": "::1", "REDIS_PORT": "7000"}, "redis://[::1]:7000", "::1", 7000),
        ({"REDIS_URL": "redis://a:1", "REDIS_HOST": "b", "REDIS_PORT": "2"}, "redis://a:1", "a", 1),
        ({"REDIS_URL": "rediss://user:secret@a:1/5"}, "rediss://user:secret@a:1/5", "a", 1),
        ({"REDIS_URL": "redis://a"}, "redis://a", "a", 6379),
        ({"REDIS_URL": "unix:///run/redis.sock"}, "unix:///run/redis.sock", "/run/redis.sock", 0),
    ],
)
def test_where_redis_is(values: dict[str, str], url: str, host: str, port: int):
    conf = read_settings(values)
    assert (conf.redis_url, conf.redis_host, conf.redis_port) == (url, host, port)
    assert conf.redis_is_default is not ({"REDIS_URL", "REDIS_HOST"} & values.keys() != set())


UNUSABLE = [
    ("PORT", "0", "1 to 65535"),
    ("PORT", "65536", "1 to 65535"),
    ("PORT", "-1", "1 to 65535"),
    ("PORT", "3000.0", "1 to 65535"),
    ("PORT", "http", "1 to 65535"),
    ("PORT", "+3000", "1 to 65535"),
    ("PORT", "3_000", "1 to 65535"),
    ("REDIS_PORT", "x", "1 to 65535"),
    ("REDIS_HOST", "redis://host", "host name"),
    ("REDIS_HOST", "user@host", "host name"),
    ("REDIS_HOST", "host:6379", "host name"),
    ("REDIS_HOST", "[host", "host name"),
    ("REDIS_HOST", "host#1", "host name"),
    ("REDIS_URL", "http://host", "redis://"),
    ("REDIS_URL", "host:6379", "redis://"),
    ("REDIS_URL", "redis:host", "redis://"),
    ("REDIS_URL", "REDIS://host", "redis://"),
    ("REDIS_URL", "redis://host:0", "redis://"),
    ("REDIS_URL", "unix://", "redis://"),
    ("REDIS_URL", "redis://host:99999", "redis://"),
    ("REDIS_URL", "redis://host:port", "redis://"),
    ("REDIS_URL", "redis://[::1", "redis://"),
    ("REDIS_CHANNEL", "a\nb", "printable"),
    ("POD_NAME", "a\nb", "printable"),
    ("POD_NAME", "x" * 254, "253"),
    ("ENVIRONMENT", "staging", "development, production"),
    ("LOG_LEVEL", "loud", "debug, info"),
    ("LOG_FORMAT", "xml", "text, json"),
    ("HEARTBEAT_SECONDS", "0", "seconds"),
    ("HEARTBEAT_SECONDS", "nan", "seconds"),
    ("HEARTBEAT_SECONDS", "inf", "seconds"),
    ("HEARTBEAT_SECONDS", "-30", "seconds"),
    ("HEARTBEAT_SECONDS", "30s", "seconds"),
    ("MAX_CONNECTIONS", "-1", "whole number"),
    ("MAX_CONNECTIONS", "many", "whole number"),
    ("MAX_EVENT_BYTES", "256K", "whole number"),
    ("CORS_ALLOWED_ORIGINS", "shop.example", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://a.example/path", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://[", "origins"),
    ("DURABLE_LOG", "maybe", "on"),
    ("TRUSTED_PROXIES", "nginx", "networks"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "networks"),
    ("TRUSTED_PROXIES", "10.0.0.0/33", "networks"),
    ("TRUSTED_PROXIES", "*", "networks"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), UNUSABLE)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(name: str, value: str, allowed: str):
    with pytest.raises(ConfigurationError) as refused:
        read_settings({name: value})
    sentence = str(refused.value)
    assert refused.value.variable == name
    assert sentence.startswith(name)
    assert allowed in sentence
    assert "\n" not in sentence
    if name != "REDIS_URL":
        assert repr(value) in sentence, "it says what the variable holds"


def test_a_refused_redis_url_does_not_show_its_password():
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"REDIS_URL": "redis://user:secret@host:99999"})
    assert "secret" not in str(refused.value)


def test_the_place_of_redis_is_without_its_password():
    assert redis_place("redis://user:secret@host:6379/0") == "Redis on host:6379"
    assert redis_place("unix://user:secret@/run/redis.sock") == "Redis on /run/redis.sock"


def test_redis_url_wins_and_nothing_is_asked_of_host_and_port():
    """Kubernetes sets REDIS_PORT=tcp://… in every pod beside a Service that is named redis."""
    conf = read_settings({"REDIS_URL": "redis://a", "REDIS_HOST": "no/host", "REDIS_PORT": "tcp://10.0.0.1:6379"})
    assert conf.redis_url == "redis://a"


def test_trusted_proxies_are_addresses_and_networks():
    proxies = read_settings({"TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1,fd00::/8"}).trusted_proxies
    inside = map(ip_address, ("10.255.0.1", "192.0.2.1", "fd00::1"))
    outside = map(ip_address, ("11.0.0.1", "192.0.2.2", "fe80::1"))
    assert all(address in proxies for address in inside)
    assert not any(address in proxies for address in outside)
    assert "10.0.0.1" not in proxies, "text is no address"
    assert not read_settings({}).trusted_proxies


def test_a_copy_with_another_redis_url_is_at_that_one():
    conf = msgspec.structs.replace(read_settings({"REDIS_HOST": "redis"}), redis_url="redis://other:7000")
    assert (conf.redis_url, conf.redis_host, conf.redis_port) == ("redis://other:7000", "other", 7000)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("PORT", "0080", 80), ("DRAIN_SECONDS", ".5", 0.5), ("DRAIN_SECONDS", "1e1", 10), ("LOG_LEVEL", "DEBUG", "debug")],
)
def test_read_settings_takes_what_python_takes(name: str, text: str, value: object):
    assert getattr(read_settings({name: text}), name.lower()) == value


def test_django_settings_default_to_those_of_development():
    assert read_django_settings({}, production=False) == DjangoSettings()
    assert DjangoSettings().allowed_hosts == ("*",)


def test_django_settings_hold_the_database_as_django_wants_it():
    settings = read_django_settings({"DATABASE_URL": "postgres://user:secret@db:5432/sse"}, production=False)
    assert settings.database["ENGINE"].endswith("postgresql")
    assert (settings.database["HOST"], settings.database["PORT"]) == ("db", 5432)


def test_settings_are_frozen():
    conf = read_settings({})
    with pytest.raises(AttributeError, match="immutable"):
        conf.port = 1  # type: ignore[misc]
