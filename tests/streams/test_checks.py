from __future__ import annotations

import resource
from typing import Any

import msgspec
import pytest

from streams.checks import check_locks, check_streams
from streams.conf import read_settings
from streams.pod import connection_limit
from tests.support.pods import LOCKS_OFF


def found(settings: Any, **changes: Any) -> dict[str, str]:
    """Return the ids and hints of the checks that speak up."""
    settings.STREAMS = msgspec.structs.replace(read_settings({}), **changes)
    return {str(message.id): str(message.hint) for message in check_streams()}


def test_the_defaults_are_fine(settings: Any):
    assert found(settings) == {}


def test_production_as_documented_is_fine(settings: Any):
    settings.STREAMS = read_settings(
        {"ENVIRONMENT": "production", **LOCKS_OFF, "POD_NAME": "pod-1", "REDIS_URL": "redis://redis"}
    )
    assert check_streams() == []


def test_check_warns_of_descriptors_exactly_where_a_pod_takes_fewer_connections(settings: Any):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = connection_limit(0)
    assert found(settings, max_connections=possible) == {}
    assert found(settings, max_connections=possible + 1) == {
        "streams.W001": f"Raise the limit (ulimit -n) to {soft + 1} or more."
    }


def test_check_of_descriptors_knows_that_there_may_be_no_limit(settings: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert found(settings, max_connections=1_000_000) == {}


@pytest.mark.parametrize(
    ("changes", "expected", "hint"),
    [
        ({"max_backlog_bytes": 1000}, "streams.W002", "MAX_BACKLOG_BYTES"),
        (
            {"environment": "production", "pod_name": "pod-1", "cors_allowed_origins": frozenset({"*"})},
            "streams.W003",
            "origins",
        ),
        ({"environment": "production", "cors_allowed_origins": frozenset()}, "streams.W004", "POD_NAME"),
        ({"heartbeat_seconds": 150}, "streams.W005", "120"),
        ({"max_stream_seconds": 59}, "streams.W006", "hours"),
        ({"history_seconds": 59}, "streams.W007", "60"),
        ({"history_bytes": 1000}, "streams.W008", "HISTORY_BYTES"),
        ({"max_connections": 10, "max_connections_per_ip": 11}, "streams.W009", "below"),
        ({"environment": "production", "max_connections_per_ip": 11}, "streams.W010", "TRUSTED_PROXIES"),
        ({"rebalance": True}, "streams.E001", "FRONT_DOOR_HASHES=off"),
    ],
)
def test_speaks_up_and_says_what_to_do(settings: Any, changes: dict[str, Any], expected: str, hint: str):
    spoken = found(settings, **changes)
    assert expected in spoken
    assert hint in spoken[expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"rebalance": True, "front_door_hashes": False},
        {"heartbeat_seconds": 149},
        {"max_stream_seconds": 60},
        {"history_seconds": 0, "history_bytes": 0},
        {"max_connections": 0, "max_connections_per_ip": 11},
    ],
)
def test_says_nothing_of_what_goes_together(settings: Any, changes: dict[str, Any]):
    assert found(settings, **changes) == {}


def test_check_locks_warns_of_what_is_open(settings: Any):
    secret = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
    for said, ids in (
        ({"STREAM_AUTH": "off", "PUBLISH_AUTH": "off"}, ["streams.W011", "streams.W012"]),
        ({"STREAM_AUTH": "observe", "PUBLISH_AUTH": "off"}, ["streams.W012"]),
        ({"STREAM_AUTH": "required", "PUBLISH_AUTH": "required"}, []),
    ):
        settings.STREAMS = read_settings({"ENVIRONMENT": "production", "TOKEN_SECRET": secret, **said})
        assert [message.id for message in check_locks()] == ids


def test_check_warns_of_metrics_that_no_program_can_read(settings: Any):
    assert "ADMIN_TOKEN" in found(settings, metrics_auth="required")["streams.W013"]
    assert found(settings, metrics_auth="required", admin_token="t" * 32) == {}
    assert found(settings, metrics_auth="required", token_keys="/keys.json") == {}


def test_check_refuses_one_port_for_devices_and_operators(settings: Any):
    assert "streams.E002" in found(settings, admin_port=3000)
    assert found(settings, admin_port=3001) == {}


def test_check_refuses_a_header_that_nobody_is_trusted_to_set(settings: Any):
    assert "TRUSTED_PROXIES" in found(settings, trusted_user_header="X-User")["streams.E003"]
    trusted = read_settings({"TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies
    assert found(settings, trusted_user_header="X-User", trusted_proxies=trusted) == {}


def test_check_warns_where_devices_may_name_an_operator(settings: Any):
    trusted = read_settings({"TRUSTED_PROXIES": "10.0.0.2"}).trusted_proxies
    told = {"trusted_user_header": "X-User", "trusted_proxies": trusted, "environment": "production", "pod_name": "a"}
    assert "ADMIN_PORT" in found(settings, **told, cors_allowed_origins=frozenset())["streams.W014"]
    assert found(settings, **told, cors_allowed_origins=frozenset(), admin_port=3100) == {}
