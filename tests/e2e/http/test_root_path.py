"""A pod below a path of a front door: all of it is there, and no client can move it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import DEFAULTS
from tests.support.http import open_stream
from tests.support.pods import Pod, environment
from tests.support.redis_server import RedisServer, event

ROOT_PATH = "/sse"
STARTS = ["streamworker", "daphne", "uvicorn"]
ROWS = {b"/clients/": b"LANE", b"/stores/": b"STORE", b"/pods/": str(DEFAULTS["POD_NAME"]).encode()}
LINK = re.compile(rb'(?:href|src|action|data-live|data-server)="(/[^"]*)"')


@pytest.fixture(scope="module")
def pods_below(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Pod]]:
    """Give a pod below ROOT_PATH, for one way to start it."""
    started: dict[str, Pod] = {}
    logs = tmp_path_factory.mktemp("pods")

    def pod(start: str) -> Pod:
        if start not in started:
            env = environment(**DEFAULTS, REDIS_URL=redis_server.url)
            started[start] = Pod(start, logs / f"{start}.log", env, root_path=ROOT_PATH)
            started[start].wait_ready()
        return started[start]

    yield pod
    for one in started.values():
        one.terminate()
        one.assert_no_traceback()


def outside(start: str, path: str) -> str:
    """Return what a front door sends for a path below: uvicorn wants it without the root path, Daphne takes both."""
    return path if start == "uvicorn" else ROOT_PATH + path


@pytest.mark.parametrize("start", STARTS)
def test_all_of_it_is_below(pods_below: Callable[[str], Pod], start: str):
    pod = pods_below(start)
    for path in ("/health/live", "/health/ready", "/metrics", "/", "/admin", "/static/dashboard/icon.svg"):
        assert pod.fetch(outside(start, path)).status == 200, path
    head = pod.fetch(outside(start, "/events/LANE"), method="HEAD")
    assert head.headers["content-type"] == "text/event-stream"
    assert pod.fetch(outside(start, "/events/-bad")).status == 400
    assert pod.fetch(outside(start, "/admin/live"), method="POST").status == 405
    assert pod.fetch("/ssevents/LANE").status == 404
    assert pod.fetch(outside(start, "/api/v1/pods")).json()["pods"]
    problem = json.loads(pod.fetch(outside(start, "/api/v1/clients/-bad")).body)
    assert problem["type"] == f"{ROOT_PATH}/api/v1/problems#invalid-request"


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "page", ["/", "/admin", "/admin/pod", "/admin/stores", "/admin/clients/LANE", "/admin/login/", "/nowhere"]
)
def test_pages_lead_below(pods_below: Callable[[str], Pod], start: str, page: str):
    pod = pods_below(start)
    body = pod.fetch(outside(start, page), headers={"Accept": "text/html"}).body
    links = LINK.findall(body)
    assert len(links) > 3
    for link in dict.fromkeys(links):
        assert link.startswith(ROOT_PATH.encode() + b"/"), link
        # What a row of the page is made of ends where a name is put: a client's, a store's, a pod's.
        named = link + next((name for end, name in ROWS.items() if link.endswith(end)), b"")
        inside = named.decode().removeprefix(ROOT_PATH).partition("?")[0]
        assert pod.fetch(outside(start, inside), method="HEAD").status in (200, 302, 401, 405), link


@pytest.mark.parametrize("start", ["streamworker", "daphne"])
async def test_no_header_moves_the_path(
    start: str, pods: Callable[[str], Pod], redis_server: RedisServer, client_name: str
):
    pod = pods(start)
    for root_path in ("/x", "//evil.example", "/events"):
        headers = {"Daphne-Root-Path": root_path, "X-Forwarded-Prefix": root_path, "X-Script-Name": root_path}
        assert pod.fetch(f"{root_path}/health/live", headers=headers).status == 404 or root_path == "/events"
        for page in ("/", "/admin", "/nowhere"):
            body = pod.fetch(page, headers={**headers, "Accept": "text/html"}).body
            assert root_path.encode() not in body.replace(b"/events/STORE001-LANE01", b"")
        async with await open_stream(pod.port, client_name, headers=headers) as stream:
            redis_server.publish(event(client_name, 1))
            await stream.until("evt-00000001")


@pytest.mark.parametrize("start", STARTS)
def test_publish_below(pods_below: Callable[[str], Pod], start: str):
    """Under every server: the record is found where `Location` says, and a large body is one."""
    pod = pods_below(start)
    event = {"clientName": "LANE", "action": "payment", "eventId": f"of/{start}", "data": "x" * 200 * 1024}
    headers = {"Content-Type": "application/json"}
    target = outside(start, "/api/v1/events")
    answer = pod.fetch(target, method="POST", headers=headers, body=json.dumps(event).encode())
    assert (answer.status, answer.headers["location"]) == (202, f"{ROOT_PATH}/api/v1/events/of%2F{start}")
    kept = pod.fetch(outside(start, answer.headers["location"].removeprefix(ROOT_PATH)))
    assert (kept.status, kept.json()["eventId"]) == (200, event["eventId"])
    answer = pod.fetch(target, method="POST", headers=headers, body=b" " * (1024 * 1024 + 1))
    assert (answer.status, json.loads(answer.body)["detail"]) == (413, "The body is over 1048576 bytes.")
