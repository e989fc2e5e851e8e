"""How the pods of the service are started, configured, spread and ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.deploy.files import DEPLOY
from tests.deploy.kubernetes.manifests import (
    CRDS,
    OVERLAYS,
    Documents,
    config,
    deployments,
    rendered,
    secret_examples,
    unhashed,
)
from tests.support.pods import documented_variables


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


def test_the_front_door_is_not_killed_while_it_ends_streams(kind: Callable[..., dict[str, Any]]):
    pod = kind("Deployment", "sse-redis-front-door")["spec"]["template"]["spec"]
    pre_stop = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    hard_stop = re.search(r"hard-stop-after (\d+)s", (DEPLOY / "k8s/components/front-door/haproxy.cfg").read_text())
    assert hard_stop
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + int(hard_stop[1]) + 10


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
