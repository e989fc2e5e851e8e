from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streams.wire.timestamps import iso, now_iso


def test_a_known_time():
    assert iso(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()) == "2026-01-05T12:00:00.000Z"


@given(st.floats(0, 4_000_000_000))
def test_has_milliseconds_and_z(seconds: float):
    text = iso(seconds)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    # Cut, not rounded but for the microseconds that a float cannot hold: an event is not from the future.
    assert -0.000_002 < seconds - datetime.fromisoformat(text).timestamp() < 0.001_002


def test_now_is_now():
    before = datetime.now(UTC).timestamp()
    assert before - 0.001 <= datetime.fromisoformat(now_iso()).timestamp() <= datetime.now(UTC).timestamp()
