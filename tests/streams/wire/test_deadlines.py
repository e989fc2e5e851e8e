"""Which events come too late to be delivered: has_expired() of events.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InvalidEvent
from streams.wire.events import decode_event, encode_event, has_expired
from streams.wire.timestamps import unix_seconds

NOON = 1_767_614_400.0
BEFORE_NOON = "2026-01-05T11:59:59Z"


def expired(**fields: Any) -> bool:
    """Say whether an event with these fields has expired at noon."""
    message = json.dumps({"clientName": "a", **fields}).encode()
    return has_expired(decode_event(message, len(message)), NOON)


def short(value: object) -> str:
    """Name a test's parameter, which may have hundreds of digits."""
    return repr(value)[:30]


@pytest.mark.parametrize("ttl_ms", [0, 1, 999.5, 1000, -1, -1e308, -(10**400)], ids=short)
def test_has_expired_once_ttl_ms_are_over(ttl_ms: Any):
    assert expired(ttlMs=ttl_ms, timestamp=BEFORE_NOON)


@pytest.mark.parametrize("ttl_ms", [1001, 1000.5, 1e308, 10**308, 10**400], ids=short)
def test_has_expired_not_before_ttl_ms_are_over(ttl_ms: Any):
    """One that is larger than every time is no deadline."""
    assert not expired(ttlMs=ttl_ms, timestamp=BEFORE_NOON)


@pytest.mark.parametrize("ttl_ms", [True, None, "1", "", [1], {}])
def test_has_expired_takes_no_ttl_ms_that_is_no_number(ttl_ms: Any):
    assert not expired(ttlMs=ttl_ms, timestamp=BEFORE_NOON)


@pytest.mark.parametrize(
    "timestamp", [None, 5, "", "yesterday", "9999-12-31T23:59:59-23:59", 10**400, [], {}], ids=short
)
def test_has_expired_counts_ttl_ms_from_nothing_but_a_timestamp(timestamp: Any):
    assert not expired(ttlMs=1, timestamp=timestamp)


@pytest.mark.parametrize(
    "deliver_by", ["2026-01-05T12:00:00Z", "2026-01-05T12:00:00", "2026-01-05T13:00+01:00", "0001-01-01T00:00:00+23:59"]
)
def test_has_expired_at_deliver_by(deliver_by: str):
    assert expired(deliverBy=deliver_by)


@pytest.mark.parametrize("deliver_by", ["2026-01-05T12:00:00.001Z", "2026-01-06", "9999-12-31T23:59:59-23:59"])
def test_has_expired_not_before_deliver_by(deliver_by: str):
    assert not expired(deliverBy=deliver_by)


@pytest.mark.parametrize("deliver_by", ["soon", "", 0, 1.5, True, 10**400, -(10**400), None, [], {}], ids=short)
def test_has_expired_takes_no_deliver_by_that_is_no_time(deliver_by: Any):
    assert not expired(deliverBy=deliver_by)


def encode(**deadline: Any) -> dict[str, Any]:
    written = encode_event("a", "x", None, event_id="1", timestamp=BEFORE_NOON, max_bytes=1000, **deadline)
    fields: dict[str, Any] = json.loads(written)
    return fields


def test_encode_event_writes_the_deadlines_that_it_is_given():
    assert encode(ttl_ms=1, deliver_by=BEFORE_NOON).items() >= {"ttlMs": 1, "deliverBy": BEFORE_NOON}.items()
    assert not encode().keys() & {"ttlMs", "deliverBy"}


@pytest.mark.parametrize("ttl_ms", [0, -1, True, 1.5, "1"])
def test_encode_event_refuses_ttl_ms_that_is_no_duration(ttl_ms: Any):
    with pytest.raises(InvalidEvent, match="ttlMs"):
        encode(ttl_ms=ttl_ms)


@pytest.mark.parametrize("deliver_by", ["", "tomorrow", 5])
def test_encode_event_refuses_deliver_by_that_is_no_time(deliver_by: Any):
    with pytest.raises(InvalidEvent, match="deliverBy"):
        encode(deliver_by=deliver_by)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers()
    | st.integers(300, 4200).flatmap(lambda digits: st.sampled_from([10**digits, -(10**digits)]))
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries(dict.fromkeys(("ttlMs", "deliverBy", "timestamp"), values)))
def test_has_expired_never_raises(fields: dict[str, Any]):
    """Whatever a publisher writes there, the events beside it are delivered."""
    passed = expired(**fields)
    if unix_seconds(fields["deliverBy"]) is None and unix_seconds(fields["timestamp"]) is None:
        assert not passed
