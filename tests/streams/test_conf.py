from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.conf import read_settings, redis_place
from streams.errors import ConfigurationError
from tests.support.pods import documented_variables


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
    assert read_settings({"ENVIRONMENT": "production"}).cors_allowed_origins == frozenset()
    conf = read_settings({"ENVIRONMENT": "Production", "CORS_ALLOWED_ORIGINS": "https://a.example, https://b.example/"})
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
    ("REDIS_PORT", "x", "1 to 65535"),
    ("REDIS_HOST", "redis://host", "host name"),
    ("REDIS_HOST", "user@host", "host name"),
    ("REDIS_URL", "http://host", "redis://"),
    ("REDIS_URL", "host:6379", "redis://"),
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
    ("DURABLE_LOG", "maybe", "on"),
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


@given(st.dictionaries(st.sampled_from(documented_variables()), st.text()))
def test_any_value_is_used_or_refused_in_one_line(values: dict[str, Any]):
    try:
        conf = read_settings(values)
    except ConfigurationError as error:
        sentence = str(error)
    else:
        sentence = ""
        assert 1 <= conf.port <= 65535
        assert 1 <= conf.heartbeat_seconds <= 3600
    assert "\n" not in sentence


def test_settings_are_frozen():
    conf = read_settings({})
    with pytest.raises(dataclasses.FrozenInstanceError):
        conf.port = 1  # type: ignore[misc]
