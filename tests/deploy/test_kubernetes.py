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
# What comes in by the front door: devices and publishers.
ROUTED = {"/events", "/register", "/api"}

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
    checked = [document for document in documents if document["kind"] not in (*CRDS, "HTTPRoute")]
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


def secret_examples() -> dict[str, dict[str, Any]]:
    """Return the example's Secrets by their names."""
    documents = load_all((DEPLOY / "k8s/base/secret.example.yaml").read_text())
    return {document["metadata"]["name"]: document for document in documents}


def test_the_secret_example_fits_its_schema():
    for document in secret_examples().values():
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_no_pod_that_serves_has_the_first_users_password(kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]

    def secrets(container: dict[str, Any]) -> list[str]:
        return [source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source]

    (serving,) = map(secrets, pod["containers"])
    (preparing,) = map(secrets, pod["initContainers"])
    examples = secret_examples()
    of_the_user = {name for name, secret in examples.items() if "DJANGO_SUPERUSER_PASSWORD" in secret["stringData"]}
    assert len(of_the_user) == 1
    assert set(map(unhashed, preparing)) == set(examples)
    assert set(map(unhashed, serving)) == set(examples) - of_the_user


def unhashed(name: str) -> str:
    """Return a name without the hash that kustomize puts behind it."""
    return re.sub(r"-[a-z0-9]{10}$", "", name)


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


def test_a_pod_is_not_killed_while_it_drains(documents: Documents, kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-server")["spec"]["template"]["spec"]
    pre_stop = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = int(config(documents)["DRAIN_SECONDS"])
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


def config(documents: Documents) -> dict[str, str]:
    """Return the variables that all pods share."""
    (found,) = [
        document["data"]
        for document in documents
        if document["kind"] == "ConfigMap" and unhashed(document["metadata"]["name"]) == "sse-redis-config"
    ]
    data: dict[str, str] = found
    return data


def test_sets_only_variables_that_exist(documents: Documents):
    known = set(documented_variables())
    assert set(config(documents)) <= known
    names = {name for secret in secret_examples().values() for name in secret["stringData"]}
    assert {name for name in names if not name.startswith("DJANGO_SUPERUSER_")} <= known


def test_a_change_of_the_configuration_rolls_the_pods_out(documents: Documents):
    """Its name ends in a hash of what it holds, and every container asks for it by that name."""
    names = {document["metadata"]["name"] for document in documents if document["kind"] == "ConfigMap"}
    assert {unhashed(name) for name in names} == {"sse-redis-config", "sse-redis-front-door"}
    assert not [name for name in names if unhashed(name) == name]
    used = set(re.findall(r"sse-redis-(?:config|front-door)-[a-z0-9]{10}", str(list(deployments(documents)))))
    assert used == names


def test_pods_are_spread_without_those_of_the_old_version(documents: Documents):
    for deployment in deployments(documents):
        for constraint in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert constraint["matchLabelKeys"] == ["pod-template-hash"]


def test_every_policy_lets_names_be_looked_up_on_the_node(documents: Documents):
    """NodeLocal DNSCache answers on an address of the node, which no selector of pods finds."""
    policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
    assert len(policies) == 2
    for policy in policies:
        peers = [
            peer
            for rule in policy["spec"]["egress"]
            if {"protocol": "UDP", "port": 53} in rule["ports"]
            for peer in rule["to"]
        ]
        assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in peers


def test_every_selector_finds_the_pods(documents: Documents, kind: Callable[..., dict[str, Any]]):
    labels = kind("Deployment", "sse-redis-server")["spec"]["template"]["metadata"]["labels"]
    service = kind("Service", "sse-redis-service")
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    assert kind("Service", "sse-redis-pods")["spec"]["selector"].items() <= labels.items()
    for name in ("PodDisruptionBudget", "NetworkPolicy"):
        spec = kind(name, "sse-redis-server")["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        assert selector["matchLabels"].items() <= labels.items()
    for document in documents:
        if document["kind"] == "ServiceMonitor":
            # It selects a Service by that one's own labels.
            service = kind("Service", "sse-redis-pods")
            assert document["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
            assert {endpoint["port"] for endpoint in document["spec"]["endpoints"]} == {
                port["name"] for port in service["spec"]["ports"]
            }


def test_the_autoscaler_counts_connections_and_cpu(kind: Callable[..., dict[str, Any]]):
    spec = kind("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == kind("Deployment", "sse-redis-server")["metadata"]["name"]
    pods, cpu = spec["metrics"]
    assert pods["pods"]["metric"]["name"] == "sse_connections"
    assert cpu["resource"]["name"] == "cpu"
    adapter = load("prometheus/adapter-values.yaml")["rules"]["custom"]
    assert [rule["name"]["as"] for rule in adapter] == ["sse_connections"]


def test_every_selector_finds_the_front_door(kind: Callable[..., dict[str, Any]]):
    labels = kind("Deployment", "sse-redis-front-door")["spec"]["template"]["metadata"]["labels"]
    for name in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        spec = kind(name, "sse-redis-front-door")["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        assert (selector.get("matchLabels") or selector).items() <= labels.items()


def test_the_front_door_asks_also_pods_that_are_not_ready(kind: Callable[..., dict[str, Any]]):
    """It holds clients on them while Redis is away; and alerts have to know of those that drain."""
    pods = kind("Service", "sse-redis-pods")["spec"]
    assert (pods["clusterIP"], pods["publishNotReadyAddresses"]) == ("None", True)
    (container,) = kind("Deployment", "sse-redis-front-door")["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    (port,) = pods["ports"]
    assert variables["PODS"] == f"sse-redis-pods.$(NAMESPACE).svc.cluster.local:{port['port']}"


def test_the_front_door_is_not_killed_while_it_ends_streams(kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-front-door")["spec"]["template"]["spec"]
    pre_stop = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    hard_stop = re.search(r"hard-stop-after (\d+)s", (DEPLOY / "k8s/components/front-door/haproxy.cfg").read_text())
    assert hard_stop
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + int(hard_stop[1]) + 10


def test_an_ingress_routes_devices_and_publishers_to_the_front_door():
    (ingress,) = [document for document in rendered("development") if document["kind"] == "Ingress"]
    assert "annotations" not in ingress["metadata"], "it is for any controller"
    (rule,) = ingress["spec"]["rules"]
    assert {path["path"] for path in rule["http"]["paths"]} == ROUTED
    for path in rule["http"]["paths"]:
        assert path["backend"]["service"] == {"name": "sse-redis-front-door", "port": {"name": "http"}}


def test_an_httproute_routes_devices_and_publishers_to_the_front_door():
    (route,) = [document for document in rendered("production") if document["kind"] == "HTTPRoute"]
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"]["parentRefs"]
    streams, others = route["spec"]["rules"]
    assert {match["path"]["value"] for rule in (streams, others) for match in rule["matches"]} == ROUTED
    assert [match["path"] for match in streams["matches"]] == [{"type": "PathPrefix", "value": "/events"}]
    assert streams["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    for rule in (streams, others):
        assert rule["backendRefs"] == [{"name": "sse-redis-front-door", "port": 80}]


def test_every_alert_leads_to_where_the_overlay_says_that_the_runbook_is():
    (rules,) = [document for document in rendered("production") if document["kind"] == "PrometheusRule"]
    runbook = rules["metadata"]["annotations"]["runbook"]
    assert runbook.startswith("https://")
    urls = [rule["annotations"]["runbook_url"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert len(urls) > 10
    assert {url.partition("#")[0] for url in urls} == {runbook}


def test_the_prometheus_of_a_chart_finds_the_pods():
    """kube-prometheus-stack takes what carries the name of its release, and nothing else."""
    for document in rendered("production"):
        if document["kind"] in CRDS:
            assert document["metadata"]["labels"]["release"] == "kube-prometheus-stack"


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
