"""Who finds the pods and the front door: selectors, probes of names, routes and alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.deploy.files import load
from tests.deploy.kubernetes.manifests import CRDS, Documents, rendered

# What comes in by the front door: devices and publishers.
ROUTED = {"/events", "/register", "/api"}


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
