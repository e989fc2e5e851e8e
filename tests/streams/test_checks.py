from __future__ import annotations

import dataclasses
import resource
from typing import Any

import pytest

from streams.checks import check_streams
from streams.conf import read_settings


def found(settings: Any, **changes: Any) -> dict[str, str]:
    """Return the ids and hints of the checks that speak up."""
    settings.STREAMS = dataclasses.replace(read_settings({}), **changes)
    return {str(message.id): str(message.hint) for message in check_streams()}


def test_the_defaults_are_fine(settings: Any):
    assert found(settings) == {}


def test_production_as_documented_is_fine(settings: Any):
    settings.STREAMS = read_settings({"ENVIRONMENT": "production", "POD_NAME": "pod-1", "REDIS_URL": "redis://redis"})
    assert check_streams() == []


def test_too_few_file_descriptors(settings: Any):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert found(settings, max_connections=soft).keys() == {"streams.W001"}


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
    ],
)
def test_speaks_up_and_says_what_to_do(settings: Any, changes: dict[str, Any], expected: str, hint: str):
    spoken = found(settings, **changes)
    assert expected in spoken
    assert hint in spoken[expected]
