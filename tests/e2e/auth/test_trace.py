"""What became of a lane that is refused for its token, for whoever asks why it has no stream."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.auth.conftest import CHANNEL, Cluster, bearer, issue
from tests.support.http import open_stream
from tests.support.pods import environment, run_manage
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


async def test_trace_tells_of_refusals_of_a_known_lane(cluster: Cluster, redis_server: RedisServer, client_name: str):
    pod, admin = cluster.one, redis_server.client
    async with await open_stream(pod.port, client_name, headers=bearer(issue(client_name))):
        pass
    trace: Any = f"{CHANNEL}:trace:{client_name}"
    wait_until("the end of its stream", lambda: admin.xlen(trace) == 2)
    for headers in ({}, bearer(issue("another")), bearer(issue(client_name, -60))):
        for name in (client_name, f"{client_name}-stranger"):
            assert pod.fetch(f"/events/{name}", headers=headers).status in (401, 403)
    # The third is none: it was neither twice as often as the second, nor as the first.
    wait_until("its refusals", lambda: admin.xlen(trace) == 4)
    env = environment(REDIS_URL=redis_server.url, REDIS_CHANNEL=CHANNEL)
    done = run_manage("trace", client_name, "--json", env=env)
    *entries, end = map(json.loads, done.stdout.splitlines())
    said = [(each["kind"], each.get("reason"), each.get("count")) for each in entries]
    assert [each for each in said if each[0] == "refused"] == [
        ("refused", "token-none", 1),
        ("refused", "token-scope", 2),
    ]
    assert end["sentence"].endswith("by pod-1 (token-scope)")
    page = pod.fetch(f"/admin/clients/{client_name}").body.decode()
    assert "Turned away. Its token is for other clients. 2 times since its last good one." in page
    assert admin.exists(f"{trace}-stranger") == 0
