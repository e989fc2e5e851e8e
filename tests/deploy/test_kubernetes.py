"""The manifests: both overlays rendered by kustomize and held against the schemas of the kinds."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, load, load_all, run, tool
from tests.support.pods import documented_variables

kubernetes_validate = pytest.importorskip("kubernetes_validate")

OVERLAYS = ("development", "production")
# The oldest and the newest that the manifests are meant for.
VERSIONS = ("1.29", "1.37")
CRDS = ("ServiceMonitor", "PrometheusRule")

Documents = list[dict[str, Any]]


@functools.cache
def rendered(overlay: str) -> Documents:
    path = str(DEPLOY / "k8s" / "overlays" / overlay)
    return load_all(run(tool("kubectl", "the Kubernetes command line"), "kustomize", path))


@pytest.fixture(params=OVERLAYS)
def documents(request: pytest.FixtureRequest) -> Documents:
    return rendered(request.param)


@pytest.fixture
def kind(documents: Documents) -> Callable[..., dict[str, Any]]:
    """Give the one document of a kind."""

    def find(kind: str, name: str = "") -> dict[str, Any]:
        (found,) = [
            document
            for document in documents
            if document["kind"] == kind and name in ("", document["metadata"]["name"])
        ]
        return found

    return find


def deployments(documents: Documents) -> Iterator[dict[str, Any]]:
    return (document for document in documents if document["kind"] == "Deployment")


@pytest.mark.parametrize("version", VERSIONS)
def test_fits_the_schemas_of_kubernetes(documents: Documents, version: str):
    checked = [document for document in documents if document["kind"] not in CRDS]
    assert len(checked) >= 9
    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)


def test_fits_the_schemas_of_the_prometheus_operator():
    # Generated from the operator's CRDs; they let unknown fields pass, so what went in
    # is compared with what was understood.
    models = pytest.importorskip("cloudcoil.models.prometheus_operator.v1")
    found = [document for document in rendered("production") if document["kind"] in CRDS]
    assert sorted(document["kind"] for document in found) == sorted(CRDS)
    for document in found:
        model = getattr(models, document["kind"]).model_validate(document)
        assert model.model_dump(by_alias=True, exclude_unset=True, mode="json") == document


def test_the_secret_example_fits_its_schema():
    kubernetes_validate.validate(load("k8s/base/secret.example.yaml"), VERSIONS[-1], strict=True)


def test_keeps_to_the_restricted_pod_security_standard(documents: Documents):
    for deployment in deployments(documents):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


def test_probes_ask_the_right_paths(kind: Callable[..., dict[str, Any]]):
    (container,) = kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]["containers"]
    paths = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }


def test_a_pod_is_not_killed_while_it_drains(kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]
    pre_stop = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = int(kind("ConfigMap")["data"]["DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + drain + 10


def test_a_rollout_never_has_fewer_pods(kind: Callable[..., dict[str, Any]]):
    spec = kind("Deployment", "sse-redis-server")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in spec, "the autoscaler owns the number"


def test_the_pod_knows_its_name(kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]
    (name,) = pod["containers"][0]["env"]
    assert name == {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def test_services_do_not_set_variables_of_ours(kind: Callable[..., dict[str, Any]]):
    # A Service named redis would set REDIS_PORT=tcp://…, which is no port.
    assert kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_sets_only_variables_that_exist(kind: Callable[..., dict[str, Any]]):
    known = set(documented_variables())
    assert set(kind("ConfigMap")["data"]) <= known
    secret = load("k8s/base/secret.example.yaml")["stringData"]
    assert {name for name in secret if not name.startswith("DJANGO_SUPERUSER_")} <= known


def test_every_selector_finds_the_pods(documents: Documents, kind: Callable[..., dict[str, Any]]):
    labels = kind("Deployment", "sse-redis-server")["spec"]["template"]["metadata"]["labels"]
    service = kind("Service", "sse-redis-service")
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    for name in ("PodDisruptionBudget", "NetworkPolicy"):
        spec = kind(name)["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        assert selector["matchLabels"].items() <= labels.items()
    for document in documents:
        if document["kind"] == "ServiceMonitor":
            # It selects the Service by that one's own labels.
            assert document["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()


def test_the_autoscaler_counts_connections_and_cpu(kind: Callable[..., dict[str, Any]]):
    spec = kind("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == kind("Deployment", "sse-redis-server")["metadata"]["name"]
    pods, cpu = spec["metrics"]
    assert pods["pods"]["metric"]["name"] == "sse_connections"
    assert cpu["resource"]["name"] == "cpu"
    adapter = load("prometheus/adapter-values.yaml")["rules"]["custom"]
    assert [rule["name"]["as"] for rule in adapter] == ["sse_connections"]


def test_the_ingress_streams(kind: Callable[..., dict[str, Any]]):
    ingress = kind("Ingress")
    settings = {name.split("/")[1]: value for name, value in ingress["metadata"]["annotations"].items()}
    assert settings["proxy-buffering"] == "off"
    assert settings["upstream-hash-by"] == "$uri"
    heartbeat = float(kind("ConfigMap")["data"]["HEARTBEAT_SECONDS"])
    assert int(settings["proxy-read-timeout"]) >= 3 * heartbeat
    (rule,) = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "sse-redis-service", "port": {"name": "http"}}


def test_only_development_brings_its_own_redis():
    names = {overlay: {document["metadata"]["name"] for document in rendered(overlay)} for overlay in OVERLAYS}
    assert "redis" in names["development"]
    assert "redis" not in names["production"]
    assert not [document for document in rendered("production") if document["kind"] == "Secret"]
    assert not [document for document in rendered("development") if document["kind"] in CRDS]


def test_the_image_runs_as_the_user_of_the_manifests(kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]
    user = re.search(r"(?m)^USER (\d+):(\d+)$", (DEPLOY / "docker" / "Dockerfile").read_text())
    assert user is not None
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))
