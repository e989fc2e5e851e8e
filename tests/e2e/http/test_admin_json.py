"""The operators' JSON: which clients are connected here."""

from __future__ import annotations

import pytest

from tests.e2e.http.expected import TIMESTAMP
from tests.support.http import open_stream
from tests.support.pods import Pod


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
