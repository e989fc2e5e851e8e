"""What is tried is listed, bounded, and known by its name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.scale.__main__ import arguments
from tests.scale.fleet import names_of
from tests.scale.scenario import Run, Scenario, play
from tests.scale.scenarios import SCENARIOS

PODS = ["killed", "frozen"]
REDIS = ["flushed", "redis-frozen", "redis-restarted", "redis-failed-over"]
LANES = ["flapping", "night", "stores", "idle"]


def test_scenarios_are_bounded():
    assert list(SCENARIOS) == PODS + REDIS + LANES
    assert all(0 < each.seconds <= 300 for each in SCENARIOS.values())
    # A file descriptor for each, in one process.
    assert all(each.size <= 10_000 for name, each in SCENARIOS.items() if name != "stores")


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--share", "0"], ["--share", "1.5"], ["killed"]])
def test_arguments_that_are_wrong(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        arguments(words)
    assert ended.value.code == 2
    assert "usage: python -m tests.scale" in capsys.readouterr().err


def test_arguments():
    options = arguments(["--only", "killed", "night", "--share", "0.1", "--json"])
    assert (options.only, options.share, options.json) == (["killed", "night"], 0.1, True)


def test_names_of_stores():
    assert names_of(3, 2) == ["STORE00000-LANE01", "STORE00000-LANE02", "STORE00001-LANE01"]


async def test_what_a_scenario_dies_of_is_found(tmp_path: Path):
    async def act(run: Run) -> None:
        run.note("clients", run.size)
        raise AssertionError("the roster is wrong")

    found = await play(Scenario("broken", "it breaks", 300, 10, act), 0.5, tmp_path / "logs", lambda _line: None)
    assert [figure.value for figure in found.figures] == [150]
    assert (found.failure, found.passed) == ("the roster is wrong", False)


async def test_scenario_that_hangs_ends(tmp_path: Path):
    async def act(run: Run) -> None:
        await asyncio.Event().wait()

    found = await play(Scenario("hanging", "it hangs", 1, 0.05, act), 1.0, tmp_path / "logs", lambda _line: None)
    assert found.failure == "it took longer than 0.05 s"
