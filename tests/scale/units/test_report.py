"""A run is judged by the limits of its figures, and says which one it did not keep."""

from __future__ import annotations

import json

import pytest

from tests.scale.report import Findings, as_json, failures, number, table


def findings(*, seconds: float = 13.9, failure: str = "") -> Findings:
    found = Findings("killed", "a pod is killed", seconds=30.0, failure=failure)
    found.note("its clients are unknown", seconds, "s", at_most=20)
    found.note("clients", 5_000)
    return found


def test_figures_within_their_limits_pass():
    good = findings()
    assert good.passed
    assert failures([good]) == []
    assert "its clients are unknown" in table([good])
    assert "(at most 20)" in table([good])
    assert "5,000" in table([good])
    assert json.loads(as_json([good]))["passed"] is True


def test_figure_over_its_limit_fails():
    bad = findings(seconds=20.5)
    assert not bad.passed
    assert failures([findings(), bad]) == ["killed: its clients are unknown: 20.5 s, more than 20"]
    assert "! its clients are unknown" in table([bad])
    said = json.loads(as_json([findings(), bad]))
    assert said["passed"] is False
    assert [each["passed"] for each in said["scenarios"]] == [True, False]


def test_scenario_that_does_not_end_fails():
    ended = findings(failure="it took longer than 300 s")
    assert not ended.passed
    assert failures([ended]) == ["killed: it took longer than 300 s"]
    assert table([ended]).endswith("! it took longer than 300 s")


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (5_000, "5,000"), (0.126, "0.13"), (13.94, "13.9"), (1_107.7, "1,108")]
)
def test_numbers_have_the_digits_that_say_something(value: float, written: str):
    assert number(value) == written
