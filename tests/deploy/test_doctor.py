"""The command `doctor` sees whether nginx hands on what a pod writes, or keeps it back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.front_door import find_front_door
from tests.conftest import StartPod
from tests.deploy.clusters import DOORS
from tests.deploy.files import tool
from tests.support.leaks.programs import Program
from tests.support.pods import environment, run_manage
from tests.support.redis_server import RedisServer, free_port

NOT_BUFFERING = "proxy_buffering off;"
# With HTTP/1.1, nginx hands on each chunk at once all the same.
BUFFERING = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_http_version 1.0;"
NOT_COMPRESSING = "gzip off;"
COMPRESSING = "gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;"


@contextmanager
def front_door(name: str, pod_port: int, directory: Path, old: str = "", new: str = "") -> Iterator[str]:
    """Run a front door before one pod, something in its configuration exchanged; give its URL."""
    tool(name, f"the package {name}")
    door = find_front_door(name)
    assert door is not None
    directory.chmod(0o755)
    port = free_port()
    command = door.command(directory, port, [pod_port, free_port(), free_port()])
    configuration = Path(command[-1])
    text = configuration.read_text()
    assert old in text
    configuration.write_text(text.replace(old, new))
    process = Program(name, command, os.environ, log_path=directory / "log")
    try:
        process.wait_answer(port, "/front-door/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


def diagnose(url: str, server: RedisServer) -> dict[str, Any]:
    done = run_manage("doctor", "--json", "--url", url, env=environment(REDIS_URL=server.url))
    assert done.stderr == ""
    return {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}


@pytest.mark.parametrize("name", DOORS)
def test_a_front_door_as_it_is_shipped(name: str, start_pod: StartPod, redis_server: RedisServer, tmp_path: Path):
    pod = start_pod(REDIS_URL=redis_server.url)
    with front_door(name, pod.port, tmp_path) as url:
        found = diagnose(url, redis_server)
    assert (found["front door"]["state"], found["event"]["state"]) == ("ok", "ok"), found


def test_one_that_buffers(start_pod: StartPod, redis_server: RedisServer, tmp_path: Path):
    pod = start_pod(REDIS_URL=redis_server.url)
    with front_door("nginx", pod.port, tmp_path, NOT_BUFFERING, BUFFERING) as url:
        found = diagnose(url, redis_server)
    assert found["front door"]["state"] == "failure", found
    assert "gave no greeting within 2 s" in found["front door"]["says"]
    assert "buffering" in found["front door"]["remedy"]


def test_one_that_compresses(start_pod: StartPod, redis_server: RedisServer, tmp_path: Path):
    pod = start_pod(REDIS_URL=redis_server.url)
    with front_door("nginx", pod.port, tmp_path, NOT_COMPRESSING, COMPRESSING) as url:
        found = diagnose(url, redis_server)
    assert found["front door"]["says"] == f"{url} compresses streams (gzip)"


@pytest.mark.parametrize("name", DOORS)
def test_one_that_reaches_no_pod(name: str, redis_server: RedisServer, tmp_path: Path):
    with front_door(name, free_port(), tmp_path) as url:
        found = diagnose(url, redis_server)
    assert found["front door"]["says"] == f"{url} refuses a stream: overloaded, reason no-pod"


def test_pods_with_another_redis(
    start_pod: StartPod, redis_server: RedisServer, mortal_redis: RedisServer, tmp_path: Path
):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    with front_door("nginx", pod.port, tmp_path) as url:
        found = diagnose(url, redis_server)
    assert found["front door"]["state"] == "ok"
    assert "did not come" in found["event"]["says"]
    assert "REDIS_URL" in found["event"]["remedy"]
