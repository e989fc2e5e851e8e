"""Pods and stores as they are answered."""

from __future__ import annotations

from typing import Any

import pytest

from streams.roster.reading.queries import LARGE
from tests.streams.api.asking import Api
from tests.streams.roster.fleet import HOUR, Fleet, lanes_of, large_store, night_and_day
from tests.support.http import TIMESTAMP


async def pages(api: Api, target: str, of: str, limit: int) -> list[list[Any]]:
    """Follow the cursors from the first page to the last."""
    found, cursor = [], ""
    while True:
        said = (await api.ask(f"{target}?limit={limit}&cursor={cursor}")).said
        found.append(said[of])
        assert TIMESTAMP.fullmatch(said["asOf"])
        if "nextCursor" not in said:
            return found
        cursor = said["nextCursor"]


async def test_pods(api: Api, fleet: Fleet):
    await fleet.beat("a", "b")
    await fleet.beat("b", ago=HOUR)
    said = (await api.ask("/pods")).said
    assert said.keys() == {"pods", "asOf"}
    silent, there = said["pods"]
    assert there.pop("heardAgoMs") < 5000
    assert there == {
        "podName": "pod-of-a",
        "life": "a",
        "version": "1.0.0",
        "state": "ready",
        "connections": 0,
        "startedAt": "",
        "refusedLanes": 0,
    }
    assert (silent["life"], silent["state"]) == ("b", "silent")
    assert silent["heardAgoMs"] >= 3_600_000


async def test_pods_in_pages(api: Api, fleet: Fleet):
    """Those that began last come first."""
    for number, life in enumerate("caebd"):
        await fleet.beat(life, started_at=f"2026-01-05T12:00:00.{number // 2:03}Z")
    assert [[pod["life"] for pod in page] for page in await pages(api, "/pods", "pods", 2)] == [
        ["d", "e"],
        ["b", "c"],
        ["a"],
    ]


async def test_pods_in_pages_while_they_go(api: Api, fleet: Fleet):
    """One that is not heard any more, or is forgotten, leaves the others on their pages."""
    await fleet.beat(*"abc")
    first = (await api.ask("/pods?limit=1")).said
    assert [pod["life"] for pod in first["pods"]] == ["c"]
    await fleet.beat("c", ago=HOUR)
    second = (await api.ask(f"/pods?limit=1&cursor={first['nextCursor']}")).said
    assert [pod["life"] for pod in second["pods"]] == ["b"]
    await fleet.client.hdel(fleet.prefix + "pods", "b")
    third = (await api.ask(f"/pods?limit=1&cursor={second['nextCursor']}")).said
    assert [pod["life"] for pod in third["pods"]] == ["a"]
    assert "nextCursor" not in third


async def test_stores(api: Api, fleet: Fleet):
    await night_and_day(fleet)
    said = (await api.ask("/stores?state=partial")).said
    assert said.keys() == {"stores", "asOf"}
    assert said["stores"] == [
        {
            "store": "STORE00002",
            "state": "partial",
            "lanes": 3,
            "expected": 3,
            "connected": 2,
            "offline": 0,
            "unknown": 0,
            "missing": ["STORE00002-LANE01"],
        }
    ]
    assert [[store["store"] for store in page] for page in await pages(api, "/stores", "stores", 3)] == [
        ["", "STORE00001", "STORE00002"],
        ["STORE00003"],
    ]


async def test_store(api: Api, fleet: Fleet):
    await night_and_day(fleet)
    said = (await api.ask("/stores/STORE00002")).said
    assert (said["state"], said["lanes"], said["missing"]) == ("partial", 3, ["STORE00002-LANE01"])
    assert [(lane["clientName"], lane["state"]) for lane in said["clients"]] == [
        ("STORE00002-LANE01", "missing"),
        ("STORE00002-LANE02", "connected"),
        ("STORE00002-LANE03", "connected"),
    ]
    assert [len(page) for page in await pages(api, "/stores/STORE00002", "clients", 2)] == [2, 1]


async def test_store_without_a_name(api: Api, fleet: Fleet):
    await night_and_day(fleet)
    said = (await api.ask("/stores/")).said
    assert (said["store"], [lane["clientName"] for lane in said["clients"]]) == ("", ["alone"])


async def test_store_that_was_never_seen(api: Api):
    asked = await api.ask("/stores/NOWHERE")
    assert (asked.status, asked.problem) == (404, "not-found")


@pytest.mark.parametrize("limit", [1000, 700])
async def test_store_that_is_large(api: Api, fleet: Fleet, limit: int):
    """Every lane once."""
    names = await large_store(fleet)
    found = await pages(api, "/stores/", "clients", limit)
    assert [lane["clientName"] for page in found for lane in page] == names
    assert max(map(len, found)) <= limit < LARGE + 300


async def test_expect(api: Api, fleet: Fleet):
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 2))
    asked = await api.put("/stores/STORE00001/expected", {"lanes": lanes_of([1], 3) * 2})
    assert (asked.status, asked.said) == (200, {"store": "STORE00001", "lanes": lanes_of([1], 3)})
    said = (await api.ask("/stores/STORE00001")).said
    assert (said["expected"], said["lanes"]) == (3, 3)
    await api.put("/stores/STORE00001/expected", {"lanes": []})
    assert (await api.ask("/stores/STORE00001")).said["expected"] == 0


@pytest.mark.parametrize(
    ("said", "pointers"),
    [
        ({"lanes": ["STORE2-A", "STORE1-A", "a b", ""]}, ["/lanes/0", "/lanes/2", "/lanes/3"]),
        ({"lanes": ["STORE1"]}, ["/lanes/0"]),
        ({"lanes": ["STORE1-A", None]}, ["/lanes/1"]),
        ({"lanes": ["STORE1-A"] * 1001}, ["/lanes"]),
        ({"lanes": "STORE1-A"}, ["/lanes"]),
        ({"lane": []}, ["/lane"]),
        ({}, ["/lanes"]),
    ],
)
async def test_expect_what_cannot_be(api: Api, fleet: Fleet, said: Any, pointers: list[str]):
    """It is told all that is wrong, and nothing is noted."""
    asked = await api.put("/stores/STORE1/expected", said)
    assert asked.status == 400
    assert [error["pointer"] for error in asked.said["errors"]] == pointers
    assert await fleet.reader.store("STORE1") is None
