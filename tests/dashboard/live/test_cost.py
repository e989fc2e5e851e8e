"""What the open pages cost a pod."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

from tests.conftest import StartPod
from tests.dashboard.clients import connected
from tests.support.http import HOST, request_bytes
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

DASHBOARDS = 100
# As many different searches among them.
VIEWS = 5
CONNECTIONS = 1000
MEASURED_SECONDS = 5.0


def test_a_hundred_open_dashboards_cost_little(start_pod: StartPod, redis_server: RedisServer) -> None:
    pod = start_pod(REDIS_URL=redis_server.url, LOG_LEVEL="warning")
    names = [f"STORE{number // 10:04d}-LANE{number % 10:02d}" for number in range(CONNECTIONS)]
    targets = [f"/admin/live?sort=-activity&q=lane0{number % VIEWS}" for number in range(DASHBOARDS)]
    received = [0] * DASHBOARDS
    ended = threading.Event()

    with connected(pod.port, names), ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection((HOST, pod.port), 10)) for _ in targets]
        for dashboard, target in zip(sockets, targets, strict=True):
            dashboard.sendall(request_bytes("GET", target))
            dashboard.setblocking(False)

        def read() -> None:
            while not ended.wait(0.1):
                for number, dashboard in enumerate(sockets):
                    try:
                        received[number] += dashboard.recv(2**20).count(b"\n\n")
                    except BlockingIOError:
                        continue

        reader = threading.Thread(target=read)
        reader.start()
        stack.callback(reader.join)
        stack.callback(ended.set)
        wait_until("every dashboard to be told", lambda: min(received) >= 2)
        before, frames = pod.ps.cpu_times(), sum(received)
        time.sleep(MEASURED_SECONDS)
        after = pod.ps.cpu_times()
        told = (sum(received) - frames) / DASHBOARDS
    share = (after.user + after.system - before.user - before.system) / MEASURED_SECONDS
    assert told >= MEASURED_SECONDS - 2
    assert share < 0.05, f"{share:.1%} of a core"
