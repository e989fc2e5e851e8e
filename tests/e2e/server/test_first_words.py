"""What a pod says at its start and its end, to somebody who looks at its terminal."""

from __future__ import annotations

import re

from tests.conftest import StartPod
from tests.support.http import HOST
from tests.support.pods import environment, run_manage
from tests.support.redis_server import RedisServer


def test_says_what_to_open_and_what_to_type_in_development(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url)
    url = f"http://{HOST}:{pod.port}"
    pod.wait_log(f"[SERVER] Test client: {url}/   dashboard: {url}/admin   API: {url}/api\n")
    pod.search_log(r"\[SERVER\] Try in another terminal: \S+ manage.py publish_event STORE001-LANE01 sig")


def test_says_for_how_long_it_was_up(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url)
    pod.terminate()
    assert re.search(r"(?m) \[SERVER\] Stopped; this pod was up for \d+ s$", pod.log)


def test_a_port_that_is_taken_is_one_line_that_says_what_to_do(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url)
    finished = run_manage("streamworker", "--port", str(pod.port), env=environment(REDIS_URL=redis_server.url))
    assert finished.returncode == 1
    line = finished.stderr.strip().splitlines()[-1]
    assert line == (
        f"CommandError: Port {pod.port} on {HOST} cannot be used: Address already in use. "
        "Stop what listens there, or choose another with PORT or --port."
    )
