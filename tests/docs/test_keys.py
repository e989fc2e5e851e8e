"""The list of keys and channels is that of what pods write."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from streams.broker.clients import async_client
from streams.doctor.keys import CHANNELS, KEYS
from streams.roster.tracing.store import trace_on
from tests.conftest import StartPod
from tests.docs.pages import DOCS, rows, section
from tests.docs.redis_users import undeclared, written
from tests.support.http import open_stream
from tests.support.operators import Operator, make_databases
from tests.support.pods import PRODUCTION
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import wait_until

TOKEN = "only-for-tests-" + "t" * 32
PAGE = DOCS / "reference/keys.md"
# What a run of some seconds does not write, or what is gone before somebody looks.
SELDOM = {
    *(":log:lost", ":log:met:<history>", ":revoked", ":doctor"),
    *(":roster:dirty", ":roster:doing", ":roster:later", ":roster:large:<store>", ":roster:answered"),
}


def test_page_names_all_that_is_declared():
    for title, declared in (("Keys", KEYS), ("Channels", CHANNELS)):
        named = [re.sub("^`<REDIS_CHANNEL>|`$", "", row[0]) for row in rows(section(PAGE, title))]
        assert named == [each.name for each in declared]


async def test_pods_write_the_keys_of_the_list_and_no_others(
    mortal_redis: RedisServer, start_pod: StartPod, client_name: str, tmp_path: Path
):
    """Each has the type of the list, and a time to live where it says so."""
    mortal_redis.start()
    admin: Any = mortal_redis.client
    async with async_client(mortal_redis.url) as client:
        await trace_on(client, CHANNEL, client_name, 1)
    (database,) = make_databases(tmp_path, 1)
    pods = [
        start_pod(REDIS_URL=mortal_redis.url, POD_NAME=name, DATABASE_URL=database, ADMIN_TOKEN=TOKEN, **PRODUCTION)
        for name in ("pod-1", "pod-2")
    ]
    for pod in pods:
        pod.wait_log("Hearing the other pods")
    operator = Operator()
    operator.try_password(pods[0].port, "wrong")
    found = written(admin)
    operator.log_in(pods[0].port)
    operator.log_out(pods[0].port)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = json.dumps(event(client_name, 2)).encode()
    async with await open_stream(pods[0].port, f"{client_name}-2"):
        pass
    async with await open_stream(pods[0].port, client_name), await open_stream(pods[1].port, client_name):
        mortal_redis.publish(event(client_name))
        assert pods[0].fetch("/api/v1/events", method="POST", headers=headers, body=body).status == 202

        def all_are_there() -> bool:
            found.update(written(admin))
            return not {key.name for key in KEYS} - found - SELDOM

        wait_until("every key", all_are_there)
        assert undeclared(admin) == []
