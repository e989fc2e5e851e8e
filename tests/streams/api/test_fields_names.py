"""What a path may name."""

from __future__ import annotations

import pytest

from streams.api.fields import STORE, checked_name
from streams.api.problems import Problem
from streams.roster.keys import store_of
from streams.wire.events import CLIENT_NAME


@pytest.mark.parametrize(
    ("names", "name"),
    [({}, ""), ({"NAME": "STORE001-LANE01"}, "STORE001-LANE01"), ({"STORE": ""}, ""), ({"STORE": "a.B_1:"}, "a.B_1:")],
)
def test_checked_name(names: dict[str, str], name: str):
    assert checked_name(names) == name


@pytest.mark.parametrize(
    "names", [{"NAME": ""}, {"NAME": "a b"}, {"STORE": "A-B"}, {"STORE": "a\n"}, {"STORE": "_"}, {"STORE": "a" * 128}]
)
def test_checked_name_that_can_be_none(names: dict[str, str]):
    with pytest.raises(Problem) as found:
        checked_name(names)
    assert found.value.faults[0].pointer in names


@pytest.mark.parametrize("name", ["a", "A-", "A-B-C", "a" * 127 + "-", ":", "1.2_3:-x"])
def test_every_store_of_a_name_is_one(name: str):
    assert (CLIENT_NAME.fullmatch(name) is None) or STORE.match(store_of(name))
