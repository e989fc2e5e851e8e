"""What a plan says about names, shares and limits."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from loadtest.errors import ImpossiblePlan
from loadtest.plan import CONNECTIONS_PER_SOURCE, MAX_CONNECTIONS, Plan, Target, check, is_loopback


@pytest.mark.parametrize("index", [0, 99, 100, MAX_CONNECTIONS - 1])
def test_names_follow_the_rule_and_are_equally_long(index):
    for name in (Plan().client_name(index), Plan().foreign_name(index)):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", name)
        assert len(name) == len(Plan().client_name(0))


def test_every_event_is_for_exactly_one_client():
    plan = Plan(connections=7)
    for deliverable in (0, 6, 7, 8, 100):
        assert sum(plan.expected_events(index, deliverable) for index in range(7)) == deliverable


def test_the_shares_are_all_clients_once():
    plan = Plan(connections=10, processes=3)
    assert [index for share in plan.shares() for index in share] == list(range(10))


def test_the_sources_are_spread_on_this_machine_only():
    here = Target.resolve(Plan(url="http://localhost:3000"))
    assert here.address == ("127.0.0.1", 3000)
    assert here.source_address(0) == "127.0.0.1"
    assert here.source_address(CONNECTIONS_PER_SOURCE) == "127.0.0.2"
    assert Target.resolve(Plan(url="http://192.0.2.1:3000")).source_address(0) is None
    assert Target.resolve(Plan(url="http://[::1]:3000")).source_address(0) is None


def test_the_url():
    plan = Plan(url="http://[::1]:8080/stores/")
    assert plan.address == ("::1", 8080)
    assert plan.path == "/stores"
    assert Plan(url="http://pod").address == ("pod", 80)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("pod-2", False)],
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "https://pod"}, "--url is 'https://pod'"),
        ({"url": "pod:3000"}, "--url is 'pod:3000'"),
        ({"url": "http://pod.invalid"}, "--url names pod.invalid, which cannot be resolved"),
        ({"rate": None, "foreign": 1.0}, "--rate max"),
        ({"connections": MAX_CONNECTIONS * 20}, "ulimit -n"),
    ],
)
def test_refuses_what_cannot_be_done(changes, sentence):
    with pytest.raises(ImpossiblePlan, match=re.escape(sentence)):
        check(replace(Plan(), **changes))
