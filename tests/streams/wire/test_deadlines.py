"""Which events come too late to be delivered, and which deadlines cannot be read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.deadlines import Deadline, deadline_of, has_expired
from streams.wire.events import decode_event

NOON = 1_767_614_400.0
BEFORE_NOON = "2026-01-05T11:59:59Z"
HUGE = 10**400


class Literal(str):
    """A value as it stands in the message, which Python's json cannot write."""

    __slots__ = ()


TOO_LARGE, TOO_SMALL, DIGITS = Literal("1e999"), Literal("-1e999"), Literal("9" * 5000)
DEEP = Literal("[" * 900 + "]" * 900)


def deadline(taken_at: float = NOON, **fields: Any) -> Deadline:
    """Return the deadline of an event with these fields."""
    texts = {key: value if isinstance(value, Literal) else json.dumps(value) for key, value in fields.items()}
    message = f'{{"clientName":"a"{"".join(f",{json.dumps(key)}:{text}" for key, text in texts.items())}}}'.encode()
    return deadline_of(decode_event(message, len(message)), taken_at)


def expired(taken_at: float = NOON, **fields: Any) -> bool:
    """Say whether an event with these fields has expired at noon."""
    return deadline(taken_at, **fields).expires_at <= NOON


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


@pytest.mark.parametrize("ttl_ms", [TOO_LARGE, DIGITS], ids=short)
def test_deadline_of_ttl_ms_that_no_float_can_hold(ttl_ms: Any):
    assert deadline(ttlMs=ttl_ms, timestamp=BEFORE_NOON) == (math.inf, "")
    assert deadline(ttlMs=TOO_SMALL, timestamp=BEFORE_NOON) == (-math.inf, "")


def test_has_expired_asks_the_clock_that_it_is_given():
    message = json.dumps({"clientName": "a", "ttlMs": 1000}).encode()
    event = decode_event(message, len(message))
    assert not has_expired(event, NOON + 0.999, NOON)
    assert has_expired(event, NOON + 1, NOON)


@pytest.mark.parametrize("ttl_ms", [True, "1", "5000", "", [1], {}])
def test_deadline_of_ttl_ms_that_is_no_number_is_unreadable(ttl_ms: Any):
    """Text of digits too: whoever writes that may mean seconds, or anything."""
    found = deadline(ttlMs=ttl_ms, timestamp=BEFORE_NOON)
    assert found.expires_at == math.inf
    assert found.unreadable.startswith("ttlMs is no number of milliseconds: ")


def test_deadline_of_ttl_ms_counts_from_when_it_was_taken_without_a_timestamp():
    for timestamp in ({}, {"timestamp": None}):
        assert deadline(taken_at=NOON - 1, ttlMs=2000, **timestamp) == (NOON + 1, "")
    assert expired(taken_at=NOON - 1, ttlMs=1000)
    assert not expired(taken_at=NOON - 1, ttlMs=1001)


def test_deadline_of_ttl_ms_counts_from_a_timestamp_in_epoch_milliseconds():
    for timestamp in (1_767_614_399_000, 1_767_614_399_000.0):
        assert deadline(ttlMs=2000, timestamp=timestamp) == (NOON + 1, "")


@pytest.mark.parametrize(
    "timestamp",
    [5, True, 1_767_614_399, "", "yesterday", HUGE, TOO_LARGE, DIGITS, [], {}],
    ids=short,
)
def test_deadline_of_ttl_ms_counts_from_nothing_but_a_time(timestamp: Any):
    """Neither from epoch seconds, which as milliseconds would be in 1970."""
    found = deadline(ttlMs=1, timestamp=timestamp)
    assert found.expires_at == math.inf
    assert found.unreadable.startswith("ttlMs counts from timestamp, which is no time: ")


def test_deadline_of_a_timestamp_alone_is_none():
    assert deadline(timestamp="yesterday") == (math.inf, "")


@pytest.mark.parametrize(
    "deliver_by",
    [
        "2026-01-05T12:00:00Z",
        "2026-01-05T12:00:00",
        "2026-01-05T13:00+01:00",
        "0001-01-01T00:00:00+23:59",
        1_767_614_400_000,
    ],
)
def test_has_expired_at_deliver_by(deliver_by: Any):
    assert expired(deliverBy=deliver_by)


@pytest.mark.parametrize("deliver_by", ["2026-01-05T12:00:00.001Z", "2026-01-06", 1_767_614_400_001])
def test_has_expired_not_before_deliver_by(deliver_by: Any):
    assert not expired(deliverBy=deliver_by)
    assert deadline(deliverBy=deliver_by).unreadable == ""


@pytest.mark.parametrize(
    "deliver_by",
    ["soon", "", "25.11.2026 09:00", 0, 1.5, True, 1_767_614_399, HUGE, -HUGE, TOO_LARGE, DIGITS, [], {}, [[]]],
    ids=short,
)
def test_deadline_of_deliver_by_that_is_no_time_is_unreadable(deliver_by: Any):
    found = deadline(deliverBy=deliver_by)
    assert found.expires_at == math.inf
    assert found.unreadable.startswith("deliverBy is no time: ")


def test_deadline_of_two_is_the_earlier_and_both_faults_are_named():
    assert deadline(deliverBy="2026-01-05T13:00Z", ttlMs=1000, timestamp=BEFORE_NOON) == (NOON, "")
    assert deadline(deliverBy="2026-01-05T12:00Z", ttlMs="1") == (NOON, "ttlMs is no number of milliseconds: '1'")
    assert deadline(deliverBy="soon", ttlMs=True).unreadable.count(": ") == 2


@pytest.mark.parametrize("value", ["x" * 10_000, "\n" * 50, 10**4000, DEEP], ids=short)
def test_deadline_of_anything_says_what_is_wrong_on_a_short_line(value: Any):
    found = deadline(deliverBy=value, ttlMs="x" * 10_000)
    assert len(found.unreadable) < 250
    assert "\n" not in found.unreadable


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


@given(st.fixed_dictionaries(dict.fromkeys(("ttlMs", "deliverBy", "timestamp"), values)), st.floats(0, 1e10))
def test_deadline_of_never_raises(fields: dict[str, Any], taken_at: float):
    """Whatever a publisher writes there, the events beside it are delivered."""
    found = deadline(taken_at, **fields)
    assert not math.isnan(found.expires_at)
    assert len(found.unreadable) < 400
