from __future__ import annotations

import pytest

from dashboard.content import formats


@pytest.mark.parametrize(("number", "said"), [(0, "0 lanes"), (1, "1 lane"), (1204, "1,204 lanes")])
def test_counted(number: int, said: str) -> None:
    assert formats.counted(number, "lane") == said


def test_named_counts_what_it_does_not_name() -> None:
    assert formats.named(list("ABC")) == "A, B, C"
    assert formats.named(list("ABCDE")) == "A, B, C and 2 more"
    assert formats.named([]) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3599, "59 min"), (7260, "2 h 1 min"), (90000, "1 d 1 h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


def test_brief() -> None:
    assert formats.brief(61) == "1 min"
    assert formats.brief(5) == "5 s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "now"), (1.9, "now"), (2, "2 s ago"), (61, "1 min ago"), (7200, "2 h 0 min ago")]
)
def test_ago(seconds: float, text: str) -> None:
    assert formats.ago(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (262144, "256 KiB"), (5 * 1024**2, "5.0 MiB")],
)
def test_size(size_bytes: int, text: str) -> None:
    assert formats.size(size_bytes) == text


@pytest.mark.parametrize(("per_second", "text"), [(0.0, "0"), (0.54, "0.5"), (12.34, "12"), (4321.0, "4,321")])
def test_rate(per_second: float, text: str) -> None:
    assert formats.rate(per_second) == text


def test_times_are_utc() -> None:
    assert formats.moment(1767614400) == "2026-01-05 12:00:00 UTC"
