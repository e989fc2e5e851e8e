from __future__ import annotations

from typing import Any

import pytest

from streams.doctor.findings import State
from streams.doctor.rights import SETINFO, SUBSCRIPTIONS, is_refusal, judge, rights
from streams.doctor.roles import Role, rule
from tests.support.redis_server import CHANNEL, RedisServer

PATTERN = f"{CHANNEL}:canary:*"


def test_an_older_redis_is_not_asked_for_what_it_does_not_know():
    older, newer = ({right.command for right in rights(CHANNEL, PATTERN, version)} for version in ((7, 0), (7, 2)))
    assert newer - older == {SETINFO}


@pytest.mark.parametrize("role", Role)
def test_the_calls_leave_nothing_behind_and_are_all_understood(redis_server: RedisServer, client_name: str, role: Role):
    client: Any = redis_server.client
    for right in rights(client_name, f"{client_name}:canary:*", (7, 2), role):
        if right.command in SUBSCRIPTIONS:
            continue
        try:
            client.execute_command(*right.call)
        except Exception as error:
            answer = str(error)
            assert not is_refusal(answer), right
            assert "wrong number" not in answer, right
            assert "syntax" not in answer, right
    assert client.keys(f"{client_name}*") == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("User sse has no permissions to run the 'xadd' command", True),
        ("No permissions to access a key", True),
        ("unknown command 'ROLE', with args beginning with: ", True),
        ("unknown subcommand 'SETINFO'. Try CLIENT HELP.", True),
        ("no such key", False),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False),
    ],
)
def test_a_refusal_is_told_from_other_errors(answer: str, expected: bool):
    assert is_refusal(answer) is expected


def test_all_is_well_where_nothing_is_refused():
    assert judge("sse", CHANNEL, {}).state is State.WELL


def test_refusals_are_named_with_the_rule_that_lifts_them():
    found = judge(
        "sse",
        "till",
        {
            "xadd": "User sse has no permissions to run the 'xadd' command",
            "set": "No permissions to access a key",
            "publish": "No permissions to access a channel",
            "role": "unknown command 'ROLE'",
        },
    )
    assert found.state is State.BAD
    assert found.says == (
        "Redis refuses the user sse: the commands xadd; keys that begin with till: (to set); channels (to publish); "
        "role, which it does not know"
    )
    assert found.remedy.startswith("ACL SETUSER sse +xadd ~till:* &till &till:canary:* &till:pods:*; ")
    assert found.remedy.endswith("rename no command.")


def test_a_command_that_is_not_known_needs_no_rule():
    assert "ACL" not in judge("sse", CHANNEL, {"role": "unknown command 'ROLE'"}).remedy


def test_a_command_that_is_refused_needs_no_other_redis():
    found = judge("sse", CHANNEL, {"role": "User sse has no permissions to run the 'role' command"})
    assert "rename" not in found.remedy
    assert "keys" not in found.says


def test_an_operator_subscribes_to_no_events():
    calls = {right.command: right.call for right in rights("till", "till:canary:*", (7, 2), Role.OPERATOR)}
    assert calls["subscribe"] == ("SUBSCRIBE", "till:pods:doctor")
    assert "xadd" not in calls


def test_an_operator_who_lacks_a_right_is_given_the_whole_rule():
    refusals = {
        "xlen": "No permissions to access a key",
        SETINFO: "User ops has no permissions to run the 'client|setinfo' command",
    }
    found = judge("ops", "till", refusals, Role.OPERATOR)
    words = " ".join(rule(Role.OPERATOR, "till"))
    page = "docs/howto/redis.md#a-user-for-operators"
    assert found.remedy == f"ACL SETUSER ops {words} +{SETINFO}; {page} has the whole rule."
    assert "ACL" not in judge("ops", "till", {"role": "unknown command 'ROLE'"}, Role.OPERATOR).remedy
    assert judge("ops", "till", {}, Role.OPERATOR).says == "the user ops may do all that an operator does"
