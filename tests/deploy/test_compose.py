"""The compose file: valid, and in step with the image, the front door and the original's ports."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import DEPLOY, PATHS, load, run, tool
from tests.support.pods import ROOT, documented_variables

PODS = {f"pod-{number}": f"127.0.0.1:300{number}:3000" for number in (1, 2, 3)}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    file: dict[str, Any] = load("docker-compose.yml")
    return file


def test_keeps_to_the_compose_specification():
    checker = tool("check-jsonschema", "requirements/dev.txt")
    run(checker, "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "docker-compose.yml"))


def composer() -> list[str]:
    """Return the command of Docker Compose; skip the test where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        program = shutil.which(command[0], path=PATHS)
        if program:
            command = [program, *command[1:]]
            if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
                return command
    pytest.skip("neither docker compose nor docker-compose is installed; the schema is checked without them")


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Give the file as Compose itself reads it beside a `.env`."""
    command = composer()
    file = (DEPLOY / "docker-compose.yml").read_text()
    if run(*command, "version", "--short").startswith("1."):
        # The first Compose, which Debian still has, knows no optional env_file.
        file = file.replace("    - path: .env\n      required: false\n", "    - .env\n")

    def configured(env_file: str) -> dict[str, Any]:
        (tmp_path / ".env").write_text(env_file)
        (tmp_path / "docker-compose.yml").write_text(file)
        text = run(*command, "-f", str(tmp_path / "docker-compose.yml"), "config")
        read: dict[str, Any] = yaml.safe_load(text)
        return read

    return configured


def test_compose_hands_every_setting_to_the_pods(compose: dict[str, Any], configured: Callable[[str], dict[str, Any]]):
    """All but those that the file itself decides, each of which has a reason there."""
    decided = set(compose["services"]["pod-1"]["environment"]) - {"ENVIRONMENT", "DATABASE_URL"}
    assert decided == {
        *("DRAIN_SECONDS", "HOST", "POD_NAME", "PORT", "REDIS_HOST", "REDIS_PORT", "TRUSTED_PROXIES"),
    }
    values = {name: f"of-the-file-{name.lower()}" for name in documented_variables()}
    services = configured("".join(f"{name}={value}\n" for name, value in values.items()))["services"]
    for pod in PODS:
        environment = services[pod]["environment"]
        assert {name for name, value in values.items() if environment.get(name) != value} == decided


def test_compose_takes_env_example_as_its_env(configured: Callable[[str], dict[str, Any]]):
    """Copied as it stands it must not make a pod listen where the front door cannot reach it."""
    environment = configured((ROOT / ".env.example").read_text())["services"]["pod-1"]["environment"]
    assert (environment["HOST"], environment["PORT"], environment["REDIS_HOST"]) == ("0.0.0.0", "3000", "redis")
    assert environment["DATABASE_URL"] == "sqlite:////data/db.sqlite3"


def test_only_the_front_door_is_open_to_other_machines(compose: dict[str, Any]):
    open_to_all = {
        name
        for name, service in compose["services"].items()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert open_to_all == {"front-door"}


def test_the_journal_outlives_its_container(compose: dict[str, Any]):
    redis = compose["services"]["redis"]
    assert redis["command"] == ["redis-server", "--appendonly", "yes"]
    assert redis["volumes"] == ["redis:/data"]


def test_pods_trust_the_front_door_and_keep_the_addresses_that_it_looked_up(compose: dict[str, Any]):
    services = compose["services"]
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    subnet, drawn = ip_network(network["subnet"]), ip_network(network["ip_range"])
    addresses = {name: services[name]["networks"]["default"]["ipv4_address"] for name in (*PODS, "front-door")}
    assert len(set(addresses.values())) == len(addresses)
    for address in map(ip_address, addresses.values()):
        assert address in subnet
        assert address not in drawn, "Docker may give it to another container"
    assert {services[name]["environment"]["TRUSTED_PROXIES"] for name in PODS} == {addresses["front-door"]}


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
