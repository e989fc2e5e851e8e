"""An operator behind a real front door, which spreads the pages over pods that have databases of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.front_door import find_front_door
from tests.conftest import StartPod
from tests.deploy.clusters import DOORS, PODS, running_cluster
from tests.deploy.files import tool
from tests.support.http import HOST
from tests.support.leaks.programs import Program
from tests.support.marks import long
from tests.support.operators import Operator, make_databases
from tests.support.pods import PRODUCTION
from tests.support.redis_server import RedisServer, free_port

LANES = [f"STORE{number:03d}-LANE01" for number in range(1, 16)]
PAGES = [f"/admin/{kind}/{lane}" for lane in LANES for kind in ("client", "clients")]
# Stands in the configurations for the networks of operators.
NO_NETWORK = "192.0.2.0/24"


@pytest.fixture(scope="module")
def pod_ports(
    start_shared_pod: StartPod, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> list[int]:
    """Three pods in production, as in Kubernetes."""
    urls = make_databases(tmp_path_factory.mktemp("databases"), len(PODS))
    common = {**PRODUCTION, "REDIS_URL": redis_server.url, "REDIS_CHANNEL": "front-door-login"}
    pods = [
        start_shared_pod(**common, DATABASE_URL=url, POD_NAME=name)
        for name, url in zip(sorted(PODS), urls, strict=True)
    ]
    return [pod.port for pod in pods]


@pytest.fixture(params=[DOORS[0], long(DOORS[1])])
def front_port(request: pytest.FixtureRequest, pod_ports: list[int], tmp_path: Path) -> Iterator[int]:
    tool(request.param, f"the package {request.param}")
    door = find_front_door(request.param)
    assert door is not None
    port = free_port()
    tmp_path.chmod(0o755)
    command = door.command(tmp_path, port, pod_ports)
    configuration = Path(command[-1])
    configuration.write_text(configuration.read_text().replace(NO_NETWORK, HOST))
    process = Program(door.name, command, os.environ, log_path=tmp_path / "front.log")
    process.wait_answer(port, "/front-door/health")
    yield port
    process.stop()


def test_one_login_opens_thirty_pages_over_all_pods_until_the_logout(front_port: int, pod_ports: list[int]):
    operator = Operator()
    operator.log_in(front_port)
    answered_by = set()
    for page in PAGES:
        answer = operator.ask(front_port, page)
        assert answer.status == (404 if "/client/" in page else 200), f"{page}: {answer}"
        if "/client/" in page:
            answered_by.add(json.loads(answer.text)["podName"])
    assert answered_by == PODS
    copy = Operator(operator.cookies)
    operator.log_out(front_port)
    assert {copy.ask(front_port, page).status for page in PAGES} == {401, 302}
    assert {copy.ask(port, "/admin/connections").status for port in pod_ports} == {401}


@pytest.mark.parametrize("door", [DOORS[0], long(DOORS[1])])
def test_make_cluster_in_production_asks_once(door: str, redis_server: RedisServer, tmp_path: Path):
    """The pods of `make cluster` share one database."""
    tool(door, f"the package {door}")
    (database,) = make_databases(tmp_path, 1)
    variables = {
        **PRODUCTION,
        "REDIS_URL": redis_server.url,
        "REDIS_CHANNEL": "cluster-login",
        "DATABASE_URL": database,
    }
    with running_cluster(tmp_path / "cluster.log", "--front-door", door, **variables) as cluster:
        operator = Operator()
        operator.log_in(cluster.port)
        statuses = [operator.ask(cluster.port, page).status for page in PAGES]
        assert set(statuses) == {404, 200}, "401 and 302 ask for a login"
        assert [operator.ask(port, "/admin").status for port in cluster.pod_ports] == [200] * len(PODS)
