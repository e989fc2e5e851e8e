"""Which lanes would be refused, as programs ask for it; and what tokens of operators open."""

from __future__ import annotations

from typing import Any

import pytest

from streams.auth.results import Result
from tests.streams.api.asking import Api
from tests.streams.api.tokens.asking import bearer
from tests.support.http import TIMESTAMP

READ = bearer(sub="ops", admin=["read"])


def refuse(api: Api, name: str, result: Result = Result.NONE) -> None:
    api.pod.locks.unwelcome.note(name, result, "A token is needed.", "10.0.0.7:5000", "till/1")


async def test_refused_lists_lanes_with_why(guarded: Api):
    for name, result in (("A-2", Result.NONE), ("A-1", Result.EXPIRED), ("A-1", Result.SCOPE), ("A-3", Result.NONE)):
        refuse(guarded, name, result)
    guarded.pod.locks.unwelcome.forget("A-3")
    said = (await guarded.ask("/refused", headers=READ)).said
    assert (said["podName"], said["streamAuth"], said["total"]) == ("pod-here", "observe", 2)
    first, second = said["lanes"]
    assert (first["clientName"], first["result"], first["times"]) == ("A-1", "scope", 2)
    assert TIMESTAMP.fullmatch(first.pop("lastAt"))
    assert second.pop("lastAt") <= said["asOf"]
    assert second == {
        "clientName": "A-2",
        "result": "none",
        "detail": "A token is needed.",
        "times": 1,
        "address": "10.0.0.7:5000",
        "userAgent": "till/1",
    }


async def test_refused_comes_in_pages(guarded: Api):
    for number in (3, 1, 2):
        refuse(guarded, f"A-{number}")
    said = (await guarded.ask("/refused?limit=2", headers=READ)).said
    assert [lane["clientName"] for lane in said["lanes"]] == ["A-1", "A-2"]
    said = (await guarded.ask(f"/refused?limit=2&cursor={said['nextCursor']}", headers=READ)).said
    assert ([lane["clientName"] for lane in said["lanes"]], said["total"]) == (["A-3"], 3)
    assert "nextCursor" not in said


@pytest.mark.parametrize(
    ("claims", "look", "change"),
    [({"admin": ["act"]}, 200, 200), ({"admin": ["read"]}, 200, 403), ({"publish": ["*"]}, 403, 403)],
)
async def test_operators_part_by_the_rights_of_a_token(guarded: Api, claims: Any, look: int, change: int):
    headers = bearer(**claims) | {"Sec-Fetch-Site": "cross-site"}
    assert (await guarded.ask("/pods", headers=headers)).status == look
    assert (await guarded.put("/stores/A/expected", {"lanes": ["A-1"]}, **headers)).status == change
