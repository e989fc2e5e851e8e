"""Which lanes would be refused, as programs ask for it; and what tokens of operators open."""

from __future__ import annotations

from typing import Any

import pytest

from streams.auth.results import Result
from streams.auth.rights import Right
from streams.locks.locks import Locks, Mode
from streams.wire.events import valid_name
from tests.streams.api.asking import Api
from tests.streams.api.tokens.asking import SECRET, bearer

READ = bearer(sub="ops", admin=["read"])


def come(locks: Locks, name: str, headers: dict[str, str]) -> None:
    """Let a lane ask for its stream."""
    pairs = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
    locks.decide(pairs, b"", Right.SUBSCRIBE, valid_name(name), mode=Mode.OBSERVE)


async def test_refused_lists_lanes_with_why(guarded: Api):
    locks = guarded.pod.locks
    come(locks, "A-2", {})
    come(locks, "A-1", bearer(sub="A-9"))
    come(locks, "A-1", bearer("another-secret-" + "x" * 32))
    come(locks, "A-3", {})
    come(locks, "A-3", bearer(subscribe=["A-3"]))
    come(locks, "A-4", bearer(subscribe=["A-*"]))
    said = (await guarded.ask("/refused", headers=READ)).said
    assert (said["podName"], said["streamAuth"], said["refused"], said["forgotten"]) == ("pod-here", "observe", 2, 0)
    assert [(lane["clientName"], lane["result"], lane["count"]) for lane in said["lanes"]] == [
        ("A-1", Result.INVALID, 2),
        ("A-2", Result.NONE, 1),
        ("A-3", Result.NONE, 1),
    ]
    assert "passedAt" not in said["lanes"][0]
    assert said["lanes"][1]["detail"].startswith("A token is needed")
    assert said["lanes"][2]["passed"]
    assert said["lanes"][2]["passedAt"] >= said["lanes"][2]["lastAt"]
    assert SECRET not in str(said)


async def test_refused_comes_in_pages(guarded: Api):
    for number in (3, 1, 2):
        come(guarded.pod.locks, f"A-{number}", {})
    said = (await guarded.ask("/refused?limit=2", headers=READ)).said
    assert [lane["clientName"] for lane in said["lanes"]] == ["A-1", "A-2"]
    said = (await guarded.ask(f"/refused?limit=2&cursor={said['nextCursor']}", headers=READ)).said
    assert [lane["clientName"] for lane in said["lanes"]] == ["A-3"]
    assert "nextCursor" not in said


@pytest.mark.parametrize(
    ("claims", "look", "change"),
    [({"admin": ["act"]}, 200, 200), ({"admin": ["read"]}, 200, 403), ({"publish": ["*"]}, 403, 403)],
)
async def test_operators_part_by_the_rights_of_a_token(guarded: Api, claims: Any, look: int, change: int):
    headers = bearer(**claims) | {"Sec-Fetch-Site": "cross-site"}
    assert (await guarded.ask("/pods", headers=headers)).status == look
    assert (await guarded.put("/stores/A/expected", {"lanes": ["A-1"]}, **headers)).status == change
