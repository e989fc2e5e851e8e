"""Where a pod says that it is found."""

from __future__ import annotations

from pathlib import Path

from deploy.processes import ChildProcess, pod_command
from tests.support.pods import environment
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import wait_until


def test_an_address_of_ipv6_is_told_as_one_that_can_be_opened(tmp_path: Path, redis_server: RedisServer):
    port = free_port()
    variables = environment(REDIS_URL=redis_server.url, POD_NAME="pod-ipv6")
    process = ChildProcess("pod-ipv6", pod_command(port, "::1"), variables, log_path=tmp_path / "pod.log")
    try:
        wait_until("its address", lambda: "SSE Server started" in process.log)
        assert f"SSE Server started on port {port} (http://[::1]:{port})" in process.log
    finally:
        process.stop()
