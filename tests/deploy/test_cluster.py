"""The command line of a local cluster; the cluster itself is started in test_front_door."""

from __future__ import annotations

from pathlib import Path

from deploy.cluster import parse, ports_from
from tests.deploy.clusters import running_cluster
from tests.support.http import HOST, fetch
from tests.support.redis_server import RedisServer, free_ports


def test_the_pods_have_the_ports_after_the_front_doors():
    assert parse(3000, []).pod_ports == [3001, 3002, 3003]
    assert parse(3000, ["--port", "4000"]).pod_ports == [4001, 4002, 4003]
    assert parse(4000, ["--pod-ports", "1", "2", "3"]).pod_ports == [1, 2, 3]


def test_operators_have_a_port_of_each_pod_or_none():
    assert ports_from(0) == []
    assert ports_from(4000) == [4000, 4001, 4002]


def test_each_pod_of_a_cluster_has_its_own_port_for_operators(tmp_path: Path, redis_server: RedisServer):
    """One ADMIN_PORT for all of them would let one pod alone start."""
    first = free_ports(3)[0]
    options = "--front-door", "none"
    with running_cluster(
        tmp_path / "log", *options, REDIS_URL=redis_server.url, REDIS_CHANNEL="ports", ADMIN_PORT=first
    ) as cluster:
        for number, port in enumerate(cluster.pod_ports):
            assert fetch(port, "/admin/connections").status == 404
            assert fetch(first + number, "/admin/connections").json()["podName"] == f"pod-{number + 1}"
            assert (
                f"[CLUSTER] pod-{number + 1} has its pages for operators on http://{HOST}:{first + number}/admin"
                in cluster.log
            )
