"""A port of their own for operators: what is served there, and is not to be found where devices come in."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest

from tests.conftest import DEFAULTS, StartPod
from tests.support.http import HOST, Answer, fetch, open_stream
from tests.support.pods import Pod, environment, run_manage
from tests.support.redis_server import RedisServer, event, free_port

OPERATORS = (
    *("/admin", "/admin/", "/admin/pod", "/admin/stores", "/admin/connections", "/admin/client/X", "/admin/clients/X"),
    *("/admin/login/", "/admin/live", "/admin/auth/user/", "/admin/nothing", "/metrics", "/metrics/", "/api", "/api/"),
    *("/api/v1/pods", "/api/v1/clients", "/api/v1/clients/X", "/api/v1/stores/A"),
)
# What Django or a front door may take for one of them.
DISGUISES = ("/%61dmin", "/admin%2Fpod", "//admin", "/./admin", "/x/../admin", "/admin;x", "/admin%00", "/ADMIN")
BOTH = ("/health", "/health/live", "/health/ready", "/", "/api/v1/openapi.json", "/api/v1/problems")


class Ports:
    """A pod with two ports."""

    def __init__(self, pod: Pod, admin_port: int) -> None:
        self.pod = pod
        self.admin_port = admin_port

    def operators(self, target: str, **options: object) -> Answer:
        return fetch(self.admin_port, target, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["streamworker", "runserver"])
def ports(request: pytest.FixtureRequest, start_shared_pod: StartPod, redis_server: RedisServer) -> Ports:
    admin_port = free_port()
    pod = start_shared_pod(
        request.param, REDIS_URL=redis_server.url, ADMIN_PORT=admin_port, POD_NAME="pod-ports", REDIS_CHANNEL="ports"
    )
    return Ports(pod, admin_port)


@pytest.mark.parametrize("target", OPERATORS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_devices_port_has_nothing_for_operators(ports: Ports, target: str, method: str):
    for accept in ("text/html", "application/json"):
        answer = ports.pod.fetch(target, method=method, headers={"Accept": accept})
        assert (answer.status, json.loads(answer.body)["error"]) == (404, f"There is nothing at {target}.")


@pytest.mark.parametrize("target", DISGUISES)
def test_no_other_spelling_leads_there(ports: Ports, target: str):
    assert ports.pod.fetch(target).status in (400, 404)
    absolute = f"http://{HOST}{target}"
    assert ports.pod.fetch(absolute).status in (400, 404)


@pytest.mark.parametrize("name", ["X-Forwarded-Port", "X-Original-URL", "Forwarded", "X-Forwarded-Host", "Host"])
def test_no_header_leads_there(ports: Ports, name: str):
    headers = {name: f"{HOST}:{ports.admin_port}"}
    assert ports.pod.fetch("/admin", headers=headers).status in (400, 404)


@pytest.mark.parametrize("target", [*BOTH, "/static/dashboard/icon.svg"])
def test_both_ports_have_health_and_what_is_open_to_all(ports: Ports, target: str):
    assert [ports.pod.fetch(target).status, ports.operators(target).status] == [200, 200]


@pytest.mark.parametrize("target", [each for each in OPERATORS if each not in ("/metrics/", "/admin/live")])
def test_the_operators_port_has_what_there_is(ports: Ports, target: str):
    answer = ports.operators(target)
    assert (
        answer.status != 404
        or "is not on this pod" in answer.body.decode()
        or target in (*("/admin/nothing", "/api/v1/clients/X", "/api/v1/stores/A"),)
    )


async def test_devices_and_back_ends_come_in_as_before(ports: Ports, redis_server: RedisServer, client_name: str):
    async with await open_stream(ports.pod.port, client_name) as stream:
        redis_server.publish(event(client_name, 1), channel="ports")
        await stream.until("evt-00000001")
        headers = {"Content-Type": "application/json"}
        body = f'{{"clientName":"{client_name}","action":"alert","eventId":"{client_name}-2"}}'.encode()
        sent = ports.pod.fetch("/api/v1/events", method="POST", headers=headers, body=body)
        assert sent.status == 202
        await stream.until(f"{client_name}-2")
        assert ports.pod.fetch(f"/api/v1/events/{client_name}-2").status == 200
        listed = ports.operators("/admin/connections").json()
        assert client_name in [each["clientName"] for each in listed["connections"]]


@pytest.mark.parametrize("link", ["/admin", "/admin/stores", "/api"])
def test_pages_link_to_what_is_there(ports: Ports, link: str):
    accept = {"Accept": "text/html"}
    for page in ("/", "/nowhere"):
        assert f'href="{link}"' not in ports.pod.fetch(page, headers=accept).body.decode()
    assert f'href="{link}"' in ports.operators("/", headers=accept).body.decode()


def test_the_log_says_where_the_pages_are(start_pod: StartPod, redis_server: RedisServer):
    admin_port = free_port()
    pod = start_pod(REDIS_URL=redis_server.url, ADMIN_PORT=admin_port)
    pod.wait_log(f"[SERVER] Pages for operators on port {admin_port} (http://{HOST}:{admin_port}/admin)")
    pod.wait_log(f"dashboard: http://{HOST}:{admin_port}/admin")
    pod.wait_log(f"[SERVER] SSE Server started on port {pod.port} (http://{HOST}:{pod.port})")


def test_one_port_for_both_is_refused():
    finished = run_manage("streamworker", "--port", "3999", env=environment(**DEFAULTS, ADMIN_PORT=3999))
    assert finished.returncode == 2
    assert finished.stderr.strip() == "CommandError: ADMIN_PORT is 3999, but it must be another than --port and PORT."


def test_an_operators_port_that_is_taken_stops_the_start(redis_server: RedisServer):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        env = environment(**DEFAULTS, REDIS_URL=redis_server.url, ADMIN_PORT=taken.getsockname()[1])
        finished = run_manage("streamworker", "--host", HOST, "--port", str(free_port()), env=env, timeout=30)
    assert finished.returncode == 1
    line = f"CommandError: Port {env['ADMIN_PORT']} on {HOST} cannot be used: Address already in use. Stop what listens"
    assert f"{line} there, or choose another with ADMIN_PORT." in finished.stderr.splitlines()


def test_a_plain_server_serves_operators_where_it_was_told_to_listen(pods: Callable[[str], Pod]):
    """Without ADMIN_PORT, everything is on the one port, as it always was."""
    assert pods("uvicorn").fetch("/admin").status == 200
    assert pods("uvicorn").fetch("/metrics").status == 200
