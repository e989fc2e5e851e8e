"""The compose file: valid, and in step with the image, the front door and the original's ports."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, PATHS, load, run, tool
from tests.support.pods import documented_variables

PODS = {"pod-1": "3001:3000", "pod-2": "3002:3000", "pod-3": "3003:3000"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    file: dict[str, Any] = load("docker-compose.yml")
    return file


def test_keeps_to_the_compose_specification():
    checker = tool("check-jsonschema", "requirements/dev.txt")
    run(checker, "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "docker-compose.yml"))


def test_is_understood_by_compose_itself():
    for command in (("docker", "compose"), ("docker-compose",)):
        program = shutil.which(command[0], path=PATHS)
        if (
            program
            and subprocess.run([program, *command[1:], "version"], capture_output=True, check=False).returncode == 0
        ):
            run(program, *command[1:], "-f", str(DEPLOY / "docker-compose.yml"), "config", "--quiet")
            return
    pytest.skip("neither docker compose nor docker-compose is installed; the schema is checked without them")


def test_has_redis_three_pods_and_a_front_door(compose: dict[str, Any]):
    services = compose["services"]
    assert services["redis"]["image"].startswith("redis:7")
    assert {name: services[name]["ports"] for name in PODS} == {name: [ports] for name, ports in PODS.items()}
    assert services["front-door"]["ports"] == ["3000:3000"]
    assert [services[name]["environment"]["POD_NAME"] for name in PODS] == list(PODS)


def test_starts_in_the_order_of_health(compose: dict[str, Any]):
    services = compose["services"]
    assert services["redis"]["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
    for name in PODS:
        needs = services[name]["depends_on"]
        assert needs["redis"]["condition"] == "service_healthy"
        assert needs["database"]["condition"] == "service_completed_successfully"
    assert {need["condition"] for need in services["front-door"]["depends_on"].values()} == {"service_healthy"}
    assert set(services["front-door"]["depends_on"]) == set(PODS)


def test_sets_only_variables_that_exist(compose: dict[str, Any]):
    assert set(compose["services"]["pod-1"]["environment"]) <= set(documented_variables())


def test_gives_a_pod_longer_to_stop_than_it_drains(compose: dict[str, Any]):
    pod = compose["services"]["pod-1"]
    assert int(pod["stop_grace_period"].removesuffix("s")) > int(pod["environment"]["DRAIN_SECONDS"])


@pytest.mark.parametrize("service", [*PODS, "database", "front-door"])
def test_gives_no_rights_that_are_not_needed(compose: dict[str, Any], service: str):
    settings = compose["services"][service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]


def test_mounts_files_that_exist_and_uses_volumes_that_are_declared(compose: dict[str, Any]):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in compose["volumes"]
    build = compose["services"]["pod-1"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.parametrize("configuration", ["nginx/nginx.conf", "haproxy/haproxy.cfg"])
def test_the_front_door_knows_the_pods_by_their_names(configuration: str):
    text = (DEPLOY / configuration).read_text()
    assert set(re.findall(r"server .*?(pod-\d+):3000", text)) == set(PODS)
