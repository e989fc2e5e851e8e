"""How much is noted of one client."""

from __future__ import annotations

import pytest

from streams.roster.tracing import limits
from streams.roster.tracing.limits import Limit


def test_limit_takes_so_many_of_each_name():
    limit = Limit(2, 60.0)
    assert [limit.takes("a") for _ in range(3)] == [True, True, False]
    assert limit.takes("b")


def test_limit_says_what_was_left_out_when_its_period_is_over():
    limit = Limit(2, 60.0)
    assert limit.begin_anew(1000.0) == []
    for _ in range(7):
        limit.takes("a")
    limit.takes("b")
    assert limit.begin_anew(1059.0) == []
    assert not limit.takes("a")
    assert limit.begin_anew(1060.0) == [("a", 6)]
    assert limit.takes("a")
    assert limit.begin_anew(1120.0) == []


def test_limit_begins_anew_before_it_counts_too_many_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_NAMES", 3)
    limit = Limit(1, 60.0)
    limit.begin_anew(1000.0)
    for name in "abba":
        limit.takes(name)
    assert limit.begin_anew(1001.0) == []
    limit.takes("c")
    assert limit.begin_anew(1001.0) == [("a", 1), ("b", 1)]
    assert limit.takes("a")
