"""What the tests in a browser share: a pod whose connections are counted, its clients, its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import StartPod
from tests.dashboard.browsers.browser import Browser
from tests.dashboard.clients import Clients, connected
from tests.support.http import HOST
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def own_pod(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    """A pod whose connections are counted."""
    return start_shared_pod(REDIS_URL=redis_server.url, POD_NAME="pod-dashboard")


@pytest.fixture
def clients(own_pod: Pod) -> Iterator[Clients]:
    with connected(own_pod.port, [f"STORE{store:03d}-LANE01" for store in range(1, 4)]) as clients:
        yield clients
    wait_until("an empty registry", lambda: own_pod.connections() == 0)


@pytest.fixture
def visit(browser: Browser, own_pod: Pod) -> Callable[[str], None]:
    """Load a page of the pod and wait until it is live."""

    def load(path: str) -> None:
        browser.get(f"http://{HOST}:{own_pod.port}{path}")
        browser.wait_live()

    return load
