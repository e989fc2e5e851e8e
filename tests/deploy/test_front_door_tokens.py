"""Tokens on their way through real front doors to a pod that asks for them, and what the front doors log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.deploy.clusters import DOORS
from tests.deploy.test_front_door_alone import Alone, front_door
from tests.streams.auth.issuer import SECRET, token
from tests.support.http import Answer, fetch, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, free_port

COOKIE = "shop_token"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def locked(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    """A pod that lets nobody in without a token."""
    locks: dict[str, Any] = {
        "STREAM_AUTH": "required",
        "PUBLISH_AUTH": "required",
        "TOKEN_SECRET": SECRET,
        "TOKEN_COOKIE": COOKIE,
    }
    return start_shared_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="front-door-tokens", **locks)


@pytest.fixture(scope="module", params=DOORS)
def door(request: pytest.FixtureRequest, locked: Pod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    with front_door(request.param, tmp_path_factory.mktemp("door"), [locked.port] * 3) as door:
        yield door


def issue(name: str) -> str:
    now = time.time()
    return token(sub=name, iat=now - 60, exp=now + 600, sse={"subscribe": [name], "publish": [name]})


def bearer(given: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {given}"}


def cookie(given: str) -> dict[str, str]:
    return {"Cookie": f"theme=dark; {COOKIE}={given}"}


def publish(port: int, name: str, headers: dict[str, str]) -> Answer:
    body = json.dumps({"clientName": name, "action": "payment"}).encode()
    return fetch(port, "/api/v1/events", method="POST", headers=JSON | headers, body=body)


@pytest.mark.parametrize("brought", [bearer, cookie])
async def test_tokens_pass_to_the_pod(door: Alone, client_name: str, brought: Callable[[str], dict[str, str]]):
    """Of a stream, and of its renewal: in either place, and none is put in by the front door."""
    given = brought(issue(client_name))
    renewal = f"/events/{client_name}/token"
    assert fetch(door.port, f"/events/{client_name}").status == 401
    async with await open_stream(door.port, client_name, headers=given) as stream:
        assert fetch(door.port, renewal, method="POST").status == 401
        assert fetch(door.port, renewal, method="POST", headers=given).status == 204
        assert publish(door.port, client_name, bearer(issue(client_name))).status == 202
        assert (await stream.next_json())["action"] == "payment"
    assert publish(door.port, client_name, {}).status == 401
    assert publish(door.port, client_name, bearer(issue("STORE009-LANE09"))).status == 403


def test_challenges_pass_to_the_client(door: Alone, client_name: str):
    refused = fetch(door.port, f"/events/{client_name}?access_token={issue(client_name)}")
    assert (refused.status, refused.headers["www-authenticate"]) == (400, 'Bearer error="invalid_request"')
    refused = fetch(door.port, f"/events/{client_name}", headers=bearer("nonsense"))
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


@pytest.mark.parametrize("name", DOORS)
def test_requests_that_no_pod_answers_are_logged_without_what_they_bring(name: str, tmp_path: Path):
    """Nginx names in its lines about errors all that the first line of a request holds, and where it is from."""
    with front_door(name, tmp_path, [free_port() for _ in range(3)]) as door:
        for path in ("/events/A", "/api/v1/events", "/register"):
            given = issue("A")
            headers = bearer(given) | cookie(given) | {"Referer": f"https://shop.example/?from={given}"}
            fetch(door.port, f"{path}?access_token={given}&mark=query-of-a-request", headers=headers)
            assert fetch(door.port, path, headers=headers).status in (200, 502, 503)
    log = (tmp_path / "log").read_text()
    assert [word for word in ("eyJ", COOKIE, "query-of", "Bearer", "shop.example") if word in log] == []
