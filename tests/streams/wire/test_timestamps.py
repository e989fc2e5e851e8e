from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.wire.timestamps import EARLIEST, EARLIEST_MS, LATEST, http_date, iso, now_iso, unix_seconds
from tests.support.http import TIMESTAMP


def test_a_known_time():
    assert iso(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()) == "2026-01-05T12:00:00.000Z"


@given(st.floats(0, 4_000_000_000))
def test_has_milliseconds_and_z(seconds: float):
    text = iso(seconds)
    assert TIMESTAMP.fullmatch(text)
    # Cut, not rounded but for the microseconds that a float cannot hold: an event is not from the future.
    assert -0.000_002 < seconds - datetime.fromisoformat(text).timestamp() < 0.001_002


def test_now_is_now():
    before = datetime.now(UTC).timestamp()
    assert before - 0.001 <= datetime.fromisoformat(now_iso()).timestamp() <= datetime.now(UTC).timestamp()


@given(st.floats())
@example(math.nan)
@example(math.inf)
@example(-math.inf)
@example(1e300)
@example(-1e11)
@example(EARLIEST - 0.001)
@example(LATEST + 0.999)
def test_iso_writes_any_number(seconds: float):
    assert TIMESTAMP.fullmatch(iso(seconds))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-math.inf, "0001-01-01T00:00:00.000Z"),
        (-1e300, "0001-01-01T00:00:00.000Z"),
        (math.nan, "0001-01-01T00:00:00.000Z"),
        (EARLIEST, "0001-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
        (LATEST, "9999-12-31T23:59:59.000Z"),
        (1e300, "9999-12-31T23:59:59.000Z"),
        (math.inf, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_iso_keeps_to_the_years_that_can_be_written(seconds: float, text: str):
    assert iso(seconds) == text


@given(st.text() | st.from_regex(r"\A\d{4}-(\d\d-\d\d|W\d\d-\d)T\d\d:\d\d(:\d\d(\.\d{1,9})?)?([+-]\d\d:\d\d|Z)?\Z"))
@example("0001-01-01T00:00:00+23:59")
@example("0001-01-01T00:00:00.000001+23:59:59.999999")
@example("9999-12-31T23:59:59-23:59")
@example("9999-W53-7T00:00")
@example("2026-01-05\ud80012:00")
@example("2026-01-05T12:00:00+24:00")
@example("1" * 5000)
def test_unix_seconds_reads_any_text_or_refuses_it(text: str):
    seconds = unix_seconds(text)
    assert seconds is None or EARLIEST - 86_400 <= seconds <= LATEST + 86_401


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(1_767_614_400_001, 1_767_614_400.001), (1_767_614_400_000.5, 1_767_614_400.0005), (EARLIEST_MS, 1e8)],
)
def test_unix_seconds_reads_epoch_milliseconds(milliseconds: float, seconds: float):
    assert unix_seconds(milliseconds) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, 1.5, True, -EARLIEST_MS, EARLIEST_MS - 1, 1_767_614_400, LATEST * 1000 + 1, 10**400),
        *(math.inf, -math.inf, math.nan, b"2026-01-05", ["2026-01-05"], {}),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_unix_seconds_of_anything_else_is_none(value: object):
    """Of epoch seconds too: they would be a time in 1970."""
    assert unix_seconds(value) is None


def test_http_date_is_now_as_headers_have_it():
    before = int(datetime.now(UTC).timestamp())
    date = http_date().decode()
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert before <= parsedate_to_datetime(date).timestamp() <= datetime.now(UTC).timestamp()
