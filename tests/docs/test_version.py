"""One version, wherever somebody looks."""

from __future__ import annotations

import re
import tomllib

from streams import VERSION
from tests.support.pods import ROOT, environment, run_manage


def test_the_version_is_one():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    told = (
        ("deploy/docker/Dockerfile", r"ARG VERSION=(\S+)"),
        ("deploy/k8s/base/kustomization.yaml", r"newTag: (\S+)"),
        ("deploy/k8s/overlays/production/kustomization.yaml", r"newTag: (\S+)"),
        ("docs/howto/deploy.md", r"sse-redis-service:(\S+)"),
        ("CHANGELOG.md", r"(?m)^## \[(\d\S+)\]"),
        ("README.md", r"\(development, version (\S+)\)"),
        ("docs/tutorial.md", r"\(development, version (\S+)\)"),
    )
    for name, pattern in told:
        found = re.search(pattern, (ROOT / name).read_text())
        assert found is not None, name
        assert found[1] == VERSION, name


def test_the_command_tells_the_services_version_and_not_djangos():
    assert run_manage("streamworker", "--version", env=environment()).stdout.strip() == VERSION
