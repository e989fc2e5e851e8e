"""The command line of a local cluster; the cluster itself is started in test_front_door."""

from __future__ import annotations

from deploy.cluster import parse


def test_the_pods_have_the_ports_after_the_front_doors():
    assert parse(3000, []).pod_ports == [3001, 3002, 3003]
    assert parse(3000, ["--port", "4000"]).pod_ports == [4001, 4002, 4003]
    assert parse(4000, ["--pod-ports", "1", "2", "3"]).pod_ports == [1, 2, 3]
