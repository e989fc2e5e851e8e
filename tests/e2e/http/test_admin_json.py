"""The operators' JSON: which clients are connected here."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import StartPod
from tests.support.http import TIMESTAMP, close_all, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer


async def test_admin_paths_have_the_keys_that_they_always_had(pod: Pod, client_name: str):
    async with await open_stream(pod.port, client_name):
        listing = pod.json("/admin/connections")
        assert {"podName", "totalConnections", "connections", "timestamp"} <= listing.keys()
        assert listing["podName"] == "pod-streamworker"
        assert listing["totalConnections"] == len(listing["connections"])
        (listed,) = (one for one in listing["connections"] if one["clientName"] == client_name)
        keys = {"clientName", "podName", "connectedAt", "lastActivity", "eventCount", "isAlive", "uptime"}
        assert keys <= listed.keys()
        found = pod.json(f"/admin/client/{client_name}")
        assert {"found", "podName", "client", "timestamp"} <= found.keys()
        assert found["found"] is True
        assert keys <= found["client"].keys()
        assert found["client"]["podName"] == "pod-streamworker"
        assert TIMESTAMP.fullmatch(found["client"]["connectedAt"])
        assert isinstance(found["client"]["uptime"], int)


@pytest.mark.parametrize("name", ["NOBODY", "a%0D%0AX-Injected:%20yes", "%3Cscript%3E", "%ff"])
def test_admin_client_that_is_not_here(pod: Pod, name: str):
    answer = pod.fetch(f"/admin/client/{name}")
    assert answer.status == 404
    assert answer.json()["found"] is False
    assert answer.json()["error"]
    assert "x-injected" not in answer.headers


async def test_admin_connections_takes_the_parameters_of_the_page(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="listing")
    names = [f"STORE1-{number:02d}" for number in range(60)] + ["STORE2-A", "STORE2-B"]
    streams = [await open_stream(pod.port, name) for name in names]
    try:
        listed = await asyncio.to_thread(pod.json, "/admin/connections?store=store2&sort=-name")
        assert [one["clientName"] for one in listed["connections"]] == ["STORE2-B", "STORE2-A"]
        assert (listed["matched"], listed["page"], listed["pages"], listed["totalConnections"]) == (2, 1, 1, 62)
        listed = await asyncio.to_thread(pod.json, "/admin/connections?q=store1&page=2")
        assert [one["clientName"] for one in listed["connections"]] == names[50:60]
        whole = await asyncio.to_thread(pod.json, "/admin/connections?anything=else")
        assert whole["totalConnections"] == len(whole["connections"]) == 62
        assert "matched" not in whole
        hint = (await asyncio.to_thread(pod.json, "/admin/client/store2-a"))["error"]
        assert "STORE2-A is: names are case-sensitive" in hint
    finally:
        await close_all(streams)


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/admin/", "/admin"),
        ("/admin/?q=lane&page=2", "/admin?q=lane&page=2"),
        ("/admin/connections/", "/admin/connections"),
        ("/admin/clients/STORE001-LANE01/", "/admin/clients/STORE001-LANE01"),
        ("/admin/client/a%0D%0AX-Injected:%20yes/", "/admin/client/a%0D%0AX-Injected:%20yes"),
    ],
)
def test_a_slash_at_the_end_leads_to_the_page(pod: Pod, target: str, location: str):
    answer = pod.fetch(target)
    assert (answer.status, answer.headers["location"]) == (302, location)
