"""What is legal in an event and surely not meant."""

from __future__ import annotations

from typing import Any

import pytest

from streams.management.publishing.lint import expires_at, warnings
from streams.publishing.publication import Publication

# Of 2026-01-05T12:00:00Z.
NOW = 1_767_614_400.0


def event(**fields: Any) -> Publication:
    return Publication(**{"client_name": "A", "action": "alert", **fields})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"ttl_ms": 60}, "ttlMs counts milliseconds: 60 is 0.06 s. Did you mean 60000?"),
        ({"ttl_ms": 31_536_000_000}, "ttlMs counts milliseconds: 31536000000 is 365 days."),
        ({"deliver_by": "2026-01-05T13:00:00"}, "deliverBy has no zone and is read as UTC: 2026-01-05T13:00:00"),
        ({"timestamp": "2026-01-05T12:00:00"}, "timestamp has no zone and is read as UTC: 2026-01-05T12:00:00"),
        ({"timestamp": "2026-01-05T14:00:00+01:00"}, "timestamp is to come: 2026-01-05T14:00:00+01:00."),
        ({"deliver_by": 1_769_000_000_000}, "deliverBy is 16 days from now"),
        ({"action": "signatur"}, "action is 'signatur'. Did you mean signature?"),
        ({"action": "ALERT"}, "action is 'ALERT'. Did you mean alert?"),
        ({"data": '{"amount": 1}'}, "data is a string that holds JSON"),
        ({"data": "[1]"}, "data is a string that holds JSON"),
    ],
)
def test_warns(fields: dict[str, Any], sentence: str):
    (found,) = warnings(event(**fields), NOW)
    assert sentence in found


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ttl_ms": 1_000},
        {"ttl_ms": 86_400_000},
        {"deliver_by": "2026-01-05T13:00:00Z", "timestamp": "2026-01-05T12:00:00.000Z"},
        {"deliver_by": 1_767_614_500_000, "timestamp": 1_767_614_400_000},
        {"timestamp": "2026-01-05T12:00:30Z"},
        {"action": "open-drawer"},
        {"data": "{ is no JSON"},
        {"data": "text"},
        {"data": {"text": "{}"}},
    ],
)
def test_says_nothing_of_what_may_be_meant(fields: dict[str, Any]):
    assert warnings(event(**fields), NOW) == []


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({}, None),
        ({"ttl_ms": 60_000}, "2026-01-05T12:01:00.000Z"),
        ({"ttl_ms": 60_000, "timestamp": "2026-01-05T11:59:30Z"}, "2026-01-05T12:00:30.000Z"),
        ({"deliver_by": "2026-01-05T13:00:00+01:00"}, "2026-01-05T12:00:00.000Z"),
        ({"ttl_ms": 60_000, "deliver_by": "2026-01-05T12:00:10Z"}, "2026-01-05T12:00:10.000Z"),
    ],
)
def test_tells_until_when_it_would_be_delivered(fields: dict[str, Any], until: str | None):
    assert expires_at(event(**fields), NOW) == until
