"""Front doors with their real configuration and with no pod behind them, and what they show to strangers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.front_door import NO_NETWORK, find_front_door
from tests.dashboard.browsers.browser import Browser, browsing
from tests.deploy.clusters import DOORS, pod_at
from tests.deploy.files import DEPLOY, tool
from tests.support.event_stream import EventStreamParser
from tests.support.http import HOST, TIMESTAMP, fetch
from tests.support.leaks.programs import Program
from tests.support.marks import long
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import wait_until

# What both draw for a client that no pod answers.
RETRY_MS = (3_000, 7_999)
# What EventSource says of itself when it will never try again.
CLOSED = 2
DEVICES = ("/events/A", "/register", "/api/v1/events")
OPERATORS = (
    "/",
    "/admin",
    "/admin/",
    "/admin/login/",
    "/admin/connections",
    "/admin/client/A",
    "/admin/clients/A",
    "/admin/live",
    "/publish-test",
    "/static/dashboard/pod.css",
    "/health",
    "/health/live",
    "/health/ready",
    "/nothing",
)
METRICS = ("/metrics", "/metrics?a=1", "//metrics", "/%6detrics", "/metrics/")


class Alone(NamedTuple):
    """A front door, and the ports where it looks for pods."""

    port: int
    pod_ports: list[int]


@contextmanager
def front_door(name: str, directory: Path, pod_ports: list[int] | None = None, **options: str) -> Iterator[Alone]:
    """Run a front door for the length of a block, before pods that are away unless they are given."""
    tool(name, f"the package {name}")
    door = find_front_door(name)
    assert door is not None
    directory.chmod(0o755)
    alone = Alone(free_port(), pod_ports or [free_port() for _ in range(3)])
    command = door.command(directory, alone.port, alone.pod_ports, **options)
    process = Program(name, command, os.environ, log_path=directory / "log")
    try:
        process.wait_answer(alone.port, "/front-door/health")
        yield alone
    finally:
        process.stop()


@pytest.fixture(scope="module", params=DOORS)
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """A front door as it is shipped, before pods that are away."""
    with front_door(request.param, tmp_path_factory.mktemp("alone")) as door:
        yield door


def test_a_stream_without_pods_says_when_to_come_back(alone: Alone):
    """Anything but a 200 with a stream makes a browser's EventSource give up for ever."""
    retries = set()
    for _ in range(20):
        answer = fetch(alone.port, "/events/STORE001-LANE01", headers={"Origin": "https://shop.example"})
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "no-cache" in answer.headers["cache-control"]
        (farewell,) = EventStreamParser().feed(answer.body)
        assert farewell.type == "overloaded"
        data = json.loads(farewell.data)
        assert (data["type"], data["reason"], data["podName"]) == ("overloaded", "no-pod", "front-door")
        assert TIMESTAMP.fullmatch(data["timestamp"])
        (retry,) = re.findall(rb"(?m)^retry: (\d+)$", answer.body)
        retries.add(int(retry))
    low, high = RETRY_MS
    assert all(low <= retry <= high for retry in retries)
    assert len(retries) > 10, "clients that come back in step"


def test_a_client_that_asks_for_a_status_gets_one(alone: Alone):
    answer = fetch(alone.port, "/events/STORE001-LANE01", headers={"Prefer": "status"})
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


def test_other_paths_without_pods_are_answered_in_json(alone: Alone):
    answer = fetch(alone.port, "/register", method="POST", body=b'{"clientName": "A"}')
    assert answer.status in (502, 503)
    assert answer.json()["error"].startswith("No pod answered")


@pytest.mark.parametrize("path", METRICS)
def test_metrics_are_not_shown(alone: Alone, path: str):
    assert fetch(alone.port, path).status in (403, 404)


@pytest.mark.parametrize("path", OPERATORS)
def test_operators_pages_are_not_shown(alone: Alone, path: str):
    answer = fetch(alone.port, path)
    assert answer.status == 403
    assert "operators" in answer.json()["error"]


@pytest.mark.parametrize("path", DEVICES)
def test_devices_and_publishers_are_let_in(alone: Alone, path: str):
    assert fetch(alone.port, path).status in (200, 502, 503)


@pytest.mark.parametrize("name", DOORS)
def test_operators_see_their_pages_and_never_the_metrics(name: str, tmp_path: Path):
    with front_door(name, tmp_path, operators=HOST) as door:
        assert {fetch(door.port, path).status for path in OPERATORS} <= {502, 503}
        assert fetch(door.port, "/metrics").status == 404


@pytest.mark.parametrize("configuration", ["nginx/nginx.conf", "haproxy/haproxy.cfg"])
def test_no_network_is_an_operators_as_shipped(configuration: str):
    """RFC 5737 keeps this network for documentation: no machine has an address in it."""
    assert NO_NETWORK in (DEPLOY / configuration).read_text()


@pytest.mark.parametrize(
    ("configuration", "setting"),
    [("nginx/nginx.conf", r"keepalive_timeout (\d+)s;"), ("haproxy/haproxy.cfg", r"timeout http-keep-alive (\d+)s")],
)
def test_a_load_balancer_before_it_closes_idle_connections_first(configuration: str, setting: str):
    """Google's keeps them for 600 s, ALB's for as long as its idle timeout; both answer 502 where we are first."""
    (seconds,) = re.findall(setting, (DEPLOY / configuration).read_text())
    assert int(seconds) > 600


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Browser]:
    with browsing(tmp_path / "chromium") as browser:
        yield browser


@pytest.mark.parametrize("name", [DOORS[0], long(DOORS[1])])
@pytest.mark.long
def test_an_eventsource_lives_until_there_is_a_pod(
    name: str, tmp_path: Path, redis_server: RedisServer, chromium: Browser
):
    """The page and the stream are of two origins, so CORS has to let it through too."""
    door_files = tmp_path / "door"
    door_files.mkdir()
    with front_door(name, door_files) as door:
        chromium.get(f"http://{HOST}:{door.port}/front-door/health")
        chromium.execute_script(OPEN_STREAM, f"http://localhost:{door.port}/events/STORE001-LANE01")
        wait_until("two refusals", lambda: seen(chromium)["overloaded"] >= 2, 30)
        assert seen(chromium)["state"] != CLOSED
        with pod_at(door.pod_ports[0], tmp_path / "pod.log", REDIS_URL=redis_server.url, POD_NAME="pod-1"):
            wait_until("a stream of the pod", lambda: seen(chromium)["messages"], 30)
            assert '"podName":"pod-1"' in seen(chromium)["messages"][0]
            assert len(seen(chromium)["messages"]) == 1
        # And again: the pod is gone, and the client waits for the next.
        before = seen(chromium)["overloaded"]
        wait_until("a refusal", lambda: seen(chromium)["overloaded"] > before, 30)
        assert seen(chromium)["state"] != CLOSED


OPEN_STREAM = """
window.overloaded = 0;
window.messages = [];
window.source = new EventSource(arguments[0]);
source.addEventListener("overloaded", () => { overloaded += 1; });
source.onmessage = (event) => messages.push(event.data);
"""


def seen(browser: Browser) -> dict[str, Any]:
    """Return what the page's EventSource has seen so far."""
    script = "return {overloaded: window.overloaded, messages: window.messages, state: source.readyState}"
    found: dict[str, Any] = browser.execute_script(script)
    return found
