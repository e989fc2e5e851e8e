from __future__ import annotations

import itertools

from streams.doctor.findings import Finding, State
from streams.doctor.pods import LATELY_SECONDS, judge_pods
from streams.roster.lives import LIFE_SECONDS, Heard, Life
from streams.wire.timestamps import iso

NOW = 1_767_614_400.0
numbers = itertools.count()


def heard(
    name: str = "", *, state: str = "ready", version: str = "1.0.0", silent: float = 1.0, ahead: float | None = 0.0
) -> Heard:
    number = next(numbers)
    told = "" if ahead is None else iso(NOW - silent + ahead)
    life = Life(name or f"pod-{number}", version, iso(NOW - 60), state=state, connections=2, told_at=told)
    return Heard(f"life-{number}", life, silent)


def judged(*lives: Heard) -> dict[str, Finding]:
    return {finding.check: finding for finding in judge_pods(lives, NOW)}


def states(*lives: Heard) -> dict[str, State]:
    return {check: finding.state for check, finding in judged(*lives).items()}


def test_pods_that_are_well():
    found = judged(heard("a"), heard("b"))
    assert {finding.state for finding in found.values()} == {State.WELL}
    assert found["pods"].says == "2 alive, with 4 clients: a, b"
    assert found["versions"].says == "all pods are 1.0.0"


def test_without_a_pod_nothing_else_is_said():
    assert states() == {"pods": State.BAD}
    assert states(heard(silent=LIFE_SECONDS)) == {"pods": State.BAD}


def test_pods_that_take_no_clients():
    assert states(heard(state="not-ready"))["pods"] is State.BAD
    assert states(heard(state="draining"))["pods"] is State.BAD
    found = judged(heard("a", state="not-ready"), heard("b"))["pods"]
    assert (found.state, found.says) == (State.LOOK, "2 alive, with 4 clients: a, b; not ready: a")
    # One that drains is on its way out.
    assert states(heard(state="draining"), heard())["pods"] is State.WELL


def test_two_pods_of_one_name():
    found = judged(heard("a"), heard("a"), heard("b"))["pod names"]
    assert (found.state, found.says) == (State.BAD, "several pods call themselves a")


def test_a_pod_that_followed_another_of_its_name():
    assert states(heard("a"), heard("a", silent=LATELY_SECONDS))["pod names"] is State.WELL


def test_several_versions_are_a_rollout():
    found = judged(heard(version="1.0.0"), heard(version="1.1.0"), heard(version="1.1.0"))["versions"]
    assert (found.state, found.says) == (State.LOOK, "1 of 1.0.0, 2 of 1.1.0: a rollout is under way")


def test_clocks_that_are_off():
    found = judged(heard("a", ahead=2.0), heard("b", ahead=-2.0), heard("c", ahead=1.0))["pod clocks"]
    assert (found.state, found.says) == (State.LOOK, "off from Redis': a +2.0 s, b -2.0 s")


def test_clocks_that_are_not_told():
    found = judged(heard(ahead=None))["pod clocks"]
    assert (found.state, found.says) == (State.WELL, "these pods do not tell them")
