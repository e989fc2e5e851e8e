"""Clients as they are answered."""

from __future__ import annotations

import pytest

from tests.streams.api.asking import Api
from tests.streams.roster.fleet import Fleet, lanes_of, night_and_day
from tests.support.http import TIMESTAMP


async def names(api: Api, query: str) -> list[str]:
    return [lane["clientName"] for lane in (await api.ask(f"/clients?{query}")).said["clients"]]


async def test_clients(api: Api, fleet: Fleet):
    await night_and_day(fleet)
    assert await names(api, "") == ["alone", *lanes_of([1, 2, 3], 3)]
    assert await names(api, "state=missing") == ["STORE00002-LANE01"]
    assert await names(api, "store=") == ["alone"]
    assert await names(api, "store=STORE00003&q=lane02") == ["STORE00003-LANE02"]
    said = (await api.ask("/clients?limit=4")).said
    assert (len(said["clients"]), said["nextCursor"]) == (4, "STORE00001-LANE03")
    assert await names(api, f"cursor={said['nextCursor']}") == lanes_of([2, 3], 3)


async def test_client_that_is_connected(api: Api, fleet: Fleet):
    """What only its pod knows is left out while that does not say."""
    await fleet.beat("one")
    await fleet.connect("one", "A-1")
    await fleet.round()
    said = (await api.ask("/clients/A-1")).said
    assert TIMESTAMP.fullmatch(said.pop("since"))
    assert said == {
        "clientName": "A-1",
        "state": "connected",
        "expected": False,
        "podName": "pod-of-one",
        "life": "one",
    }


async def test_client_that_is_missing(api: Api, fleet: Fleet):
    await night_and_day(fleet)
    said = (await api.ask("/clients/STORE00002-LANE01")).said
    assert TIMESTAMP.fullmatch(said["missingSince"])
    assert (said["state"], said["expected"], said["lastReason"]) == ("missing", True, "dead-peer")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("store00001-lane02", " Did you mean STORE00001-LANE02?"),
        ("ALONE", " Did you mean alone?"),
        ("NOBODY", ""),
    ],
)
async def test_client_that_was_never_seen(api: Api, fleet: Fleet, name: str, meant: str):
    await night_and_day(fleet)
    for method in ("GET", "DELETE"):
        asked = await api.ask(f"/clients/{name}", method)
        assert (asked.status, asked.problem) == (404, "not-found")
        assert asked.said["detail"] == f"No client {name} is known.{meant}"


async def test_retire(api: Api, fleet: Fleet):
    await night_and_day(fleet)
    asked = await api.ask("/clients/STORE00002-LANE01", "DELETE")
    assert (asked.status, asked.body, "content-length" in asked.headers) == (204, b"", False)
    assert (await api.ask("/clients/STORE00002-LANE01")).status == 404
    assert (await api.ask("/clients/STORE00002-LANE01", "DELETE")).status == 404
