from __future__ import annotations

import msgspec
import pytest

from dashboard.cluster.verdict import judge_cluster
from streams.roster.lives import Heard, Life
from streams.roster.reading.lanes import Lane, LaneState, Store, StoreState, Totals

NOW = "2026-01-02T08:00:00.000Z"
AT = "2026-01-02T02:31:09.000Z"
TOTALS = Totals(10, 60, 60, 59, 0, 0, 0, 0, 0, 3)


def totals(**counts: int) -> Totals:
    return msgspec.structs.replace(TOTALS, **counts)


def pods(*states: str, version: str = "1.0.0") -> list[Heard]:
    return [
        Heard(f"life-{number}", Life(f"pod-{number}", version, "", state), 1.0)
        for number, state in enumerate(states, 1)
    ]


def missing(*names: str) -> list[Lane]:
    return [Lane(name, LaneState.MISSING, missing_since=AT) for name in names]


READY = pods("ready", "ready", "ready")


def test_all_is_well():
    verdict = judge_cluster(TOTALS, READY, [], [], NOW)
    assert verdict == ("good", "All is well: 59 clients on 3 pods, and no lane is missing.", [])


def test_nobody_yet():
    verdict = judge_cluster(totals(connected=0), READY[:1], [], [], NOW)
    assert verdict == ("good", "Ready: no client is connected to 1 pod yet.", [])


@pytest.mark.parametrize(
    ("names", "counts", "said"),
    [
        (["STORE007-LANE03"], (1, 1), "STORE007 misses LANE03 since 02:31 UTC"),
        (["STORE007-LANE03", "STORE007-LANE04"], (2, 1), "STORE007 misses LANE03, LANE04 since 02:31 UTC"),
        (
            ["STORE007-LANE03", "STORE008-LANE01"],
            (2, 2),
            "STORE007 misses LANE03 since 02:31 UTC, and 1 more store misses 1 lane",
        ),
        (["STORE007-LANE03"], (9, 4), "STORE007 misses LANE03 since 02:31 UTC, and 3 more stores miss 8 lanes"),
        (["kiosk"], (1, 1), "kiosk missing since 02:31 UTC"),
        ([], (2, 1), "2 lanes missing"),
    ],
)
def test_missing_lanes_are_named(names: list[str], counts: tuple[int, int], said: str):
    lanes, stores = counts
    verdict = judge_cluster(totals(missing=lanes, partial_stores=stores), READY, missing(*names), [], NOW)
    assert verdict[:2] == ("warning", f"59 clients on 3 pods; {said}.")


def test_a_pod_that_takes_no_clients_is_a_warning():
    verdict = judge_cluster(TOTALS, pods("ready", "not-ready"), [], [], NOW)
    assert verdict[:2] == ("warning", "59 clients on 2 pods; pod-2 takes no clients.")


def test_no_pod_that_takes_clients_is_bad():
    verdict = judge_cluster(TOTALS, pods("draining", "not-ready"), [], [], NOW)
    assert verdict[:2] == ("bad", "No pod takes clients. 59 clients on 2 pods.")


def test_clients_of_a_pod_that_is_not_heard_are_a_warning():
    verdict = judge_cluster(totals(unknown=20), READY, [], [], NOW)
    assert verdict[1] == "59 clients on 3 pods; 20 clients unknown, whose pod is not heard."


def test_what_everyday_life_brings_is_noticed():
    alive = [*pods("ready", "draining"), *pods("ready", version="1.1.0")]
    dark = [Store(name, StoreState.DARK, 6, 6, 0, 6, 0, []) for name in ("STORE003", "")]
    verdict = judge_cluster(totals(dark_stores=3), alive, [], dark, NOW)
    assert verdict.level == "good"
    assert verdict.notices == [
        "2 pods call themselves pod-1: set POD_NAME, each pod's own.",
        "Draining, so that its clients go to other pods: pod-2.",
        "Pods of several versions run: 1.0.0 on 2 pods, 1.1.0 on 1 pod.",
        "3 stores dark, all lanes away as at night or without a line: STORE003, without a store and 1 more.",
    ]
