from __future__ import annotations

import pytest

from streams.doctor.keys import CHANNELS, KEYS
from streams.doctor.roles import GRANTS, Grant, Role, access, commands, named, rule, selected, use

BY_NAME = {key.name: key for key in KEYS}


def test_rule_of_a_publisher():
    assert rule(Role.PUBLISHER, "till") == ["&till", "%W~till:log", "+publish", "+xadd", "+ping"]


def test_rule_has_the_selectors_at_its_end():
    words = rule(Role.OPERATOR, "till")
    assert words[-2:] == ["(&till:pods:* &till:canary:doctor* +publish)", "(%R~till:log +xlen)"]
    assert "+publish" not in words[:-2]


def test_rule_takes_marks_of_patterns_to_the_letter():
    assert named(GRANTS[Role.PUBLISHER][0], "a*[b]") == (["%W~a\\*\\[b\\]:log"], ["&a\\*\\[b\\]"])


def test_a_selector_is_one_word():
    grants = (Grant("get", (("RW", ":a"),)), Grant("publish", (), ("",)))
    assert selected(grants, "till") == ["(~till:a +get)", "(&till +publish)"]


def test_commands_are_those_of_all_grants():
    assert commands(Role.OPERATOR) >= {"publish", "xlen", "hgetall"}
    assert commands(Role.PUBLISHER) == {"publish", "xadd", "ping"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (":log", ("RW", "W", "length")),
        (":trace:<client>", ("RW", "", "R")),
        (":tracing", ("RW", "", "RW")),
        (":revoked", ("RW", "", "RW")),
        (":roster:known:<store>", ("RW", "", "R")),
        (":accepted:<eventId>", ("RW", "", "")),
        (":operators:ended:<login>", ("RW", "", "")),
    ],
)
def test_access_of_each_role(name: str, expected: tuple[str, ...]):
    assert tuple(access(role, BY_NAME[name]) for role in Role) == expected


def test_use_of_each_role():
    found = {each.name: tuple(use(role, each) for role in Role) for each in CHANNELS}
    assert found == {"": ("SP", "P", ""), ":canary:<life>": ("SP", "", "S"), ":pods:<…>": ("SP", "", "SP")}
