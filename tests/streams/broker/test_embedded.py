"""When a Redis is embedded, and when a start ends with a sentence instead."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from streams.broker import embedded
from streams.conf import read_settings
from streams.errors import ConfigurationError
from tests.support.pods import LOCKS_OFF


def start(**variables: str) -> Any:
    return embedded.start_if_needed(read_settings(variables))


def test_start_if_needed_leaves_a_redis_that_the_settings_name_alone():
    assert start(REDIS_URL="redis://127.0.0.1:1") is None


def test_start_if_needed_refuses_an_address_that_not_every_connection_supports():
    with pytest.raises(ConfigurationError, match="without the option protocol"):
        start(REDIS_URL="redis://127.0.0.1:1?protocol=3")


def test_start_if_needed_leaves_a_redis_that_listens_alone():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert start(REDIS_PORT=str(listener.getsockname()[1])) is None


def test_start_if_needed_embeds_nothing_in_production():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        start(REDIS_PORT=str(port), ENVIRONMENT="production", **LOCKS_OFF)


def test_is_listening_says_whether_anything_accepts_connections():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert embedded.is_listening("127.0.0.1", port)
    assert not embedded.is_listening("127.0.0.1", port)
