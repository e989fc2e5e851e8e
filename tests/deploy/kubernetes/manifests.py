"""The manifests, as kustomize renders them for each overlay."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from tests.deploy.files import DEPLOY, load_all, run, tool

OVERLAYS = ("development", "production")

# The oldest and the newest that the manifests are meant for.
VERSIONS = ("1.29", "1.37")
CRDS = ("ServiceMonitor", "PrometheusRule")

Documents = list[dict[str, Any]]


@functools.cache
def rendered(overlay: str) -> Documents:
    path = str(DEPLOY / "k8s" / "overlays" / overlay)
    return load_all(run(tool("kubectl", "the Kubernetes command line"), "kustomize", path))


def deployments(documents: Documents) -> Iterator[dict[str, Any]]:
    return (document for document in documents if document["kind"] == "Deployment")


def secret_examples() -> dict[str, dict[str, Any]]:
    """Return the example's Secrets by their names."""
    documents = load_all((DEPLOY / "k8s/base/secret.example.yaml").read_text())
    return {document["metadata"]["name"]: document for document in documents}


def unhashed(name: str) -> str:
    """Return a name without the hash that kustomize puts behind it."""
    return re.sub(r"-[a-z0-9]{10}$", "", name)


def config(documents: Documents) -> dict[str, str]:
    """Return the variables that all pods share."""
    (found,) = [
        document["data"]
        for document in documents
        if document["kind"] == "ConfigMap" and unhashed(document["metadata"]["name"]) == "sse-redis-config"
    ]
    data: dict[str, str] = found
    return data
