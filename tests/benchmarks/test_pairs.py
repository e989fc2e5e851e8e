"""The table of two checkouts, and the choice of rows."""

from __future__ import annotations

import pytest

from loadtest.result import Result
from tests.benchmarks.pairs import Pair, table
from tests.benchmarks.workloads import METRICS, workloads_for

HEAD = ["|  | before | after | after ÷ before | pair by pair |", "| --- | --: | --: | --: | --- |"]


def pair(workload: str, before: float | None, after: float | None) -> Pair:
    """Make a run in which an event cost so much; None is a run that failed."""

    def results(cost: float | None) -> dict[str, list[Result]]:
        made = Result(url="", run="", connections=1, cpu_event_microseconds=cost)
        return {workload: [] if cost is None else [made]}

    return results(before), results(after)


def test_table_divides_medians_and_each_pair():
    pairs = [pair("steady", before, after) for before, after in ((10.0, 9.0), (20.0, 10.0), (30.0, 45.0))]
    title = "CPU per delivered event at 10,000 events/s, µs"
    assert table(pairs) == [*HEAD, f"| {title} | 20.0 | 10.0 | 0.500 | 0.900, 0.500, 1.500 |"]


def test_table_leaves_out_a_pair_of_which_one_run_failed():
    *_, row = table([pair("steady", 10.0, None), pair("steady", None, 10.0), pair("steady", 10.0, 20.0)])
    assert row.endswith("| 10.0 | 20.0 | 2.000 | 2.000 |")
    assert table([pair("steady", 10.0, None)]) == HEAD


def test_table_divides_no_growth():
    few, many = pair("few-often", 10.0, 10.0), pair("many-often", 11.0, 12.0)
    both = {**few[0], **many[0]}, {**few[1], **many[1]}
    assert any(row.startswith("| growth") and row.endswith("| 10 | 20 | - | - |") for row in table([both]))


def test_workloads_for_a_row_are_all_that_it_is_read_from():
    assert [workload.name for workload in workloads_for(["FOREIGN event"])] == ["saturation", "foreign"]
    assert [workload.name for workload in workloads_for(["19,000", "p99"])] == [
        *("steady", "few-seldom", "many-seldom", "few-often", "many-often", "few-apart", "many-apart")
    ]
    with pytest.raises(ValueError, match="no such row"):
        workloads_for(["saturation", "no such row"])


def test_each_row_names_the_workloads_that_it_is_read_from():
    for metric in METRICS:
        asked: set[str] = set()

        class Asked(dict[str, list[Result]]):
            def get(self, name: str, default: object = None) -> list[Result]:
                asked.add(name)  # noqa: B023 - used within this turn
                return []

        assert metric.figures.read(Asked()) == []
        assert asked == set(metric.figures.workloads), metric.title
