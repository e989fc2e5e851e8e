"""The component that gives operators a port of their own, added to what production is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, load_all, run, tool
from tests.deploy.kubernetes.manifests import Documents, config

ENTRY = "# - ../../components/operators-port"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """Production with the line that names the component, which stands there as a comment."""
    directory: Path = tmp_path_factory.mktemp("k8s") / "k8s"
    shutil.copytree(DEPLOY / "k8s", directory)
    overlay = directory / "overlays" / "production"
    text = (overlay / "kustomization.yaml").read_text()
    assert ENTRY in text
    (overlay / "kustomization.yaml").write_text(text.replace(ENTRY, ENTRY.removeprefix("# ")))
    return load_all(run(tool("kubectl", "the Kubernetes command line"), "kustomize", str(overlay)))


def found(documents: Documents, kind: str, name: str) -> dict[str, Any]:
    (spec,) = [each["spec"] for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return dict(spec)


def test_pods_listen_on_the_port_that_the_services_name(documents: Documents):
    port = int(config(documents)["ADMIN_PORT"])
    (pod,) = found(documents, "Deployment", "sse-redis-server")["template"]["spec"]["containers"]
    assert {"name": "operators", "containerPort": port} in pod["ports"]
    service = found(documents, "Service", "sse-redis-pods")
    assert {"name": "operators", "port": port, "targetPort": "operators"} in service["ports"]


def test_prometheus_scrapes_it_and_nobody_else_reaches_it(documents: Documents):
    (endpoint,) = found(documents, "ServiceMonitor", "sse-redis-server")["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("operators", "/metrics")
    rules = found(documents, "NetworkPolicy", "sse-redis-server")["ingress"]
    (rule,) = [rule for rule in rules if any(port["port"] == "operators" for port in rule["ports"])]
    assert rule["ports"] == [{"protocol": "TCP", "port": "operators"}]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_probes_stay_where_devices_come_in(documents: Documents):
    """Whether a pod takes devices is asked where they are taken."""
    (pod,) = found(documents, "Deployment", "sse-redis-server")["template"]["spec"]["containers"]
    assert {pod[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"http"}
    assert found(documents, "Service", "sse-redis-service")["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http"}
    ]
