"""What the tests of the pages share: a pod of their own, a browser, pods as processes for either environment."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_django import Settings

from dashboard.live.board import Board, get_board
from streams.broker.peers import CERTAIN_SECONDS
from streams.broker.publisher import Receipt
from streams.delivery.connection import Connection
from streams.pod import Pod as LocalPod
from streams.pod import get_pod
from streams.wire.pods import Statement
from tests.conftest import StartPod
from tests.dashboard.browsers.browser import Browser, browsing
from tests.streams.builders import connect_with
from tests.support.http import HOST
from tests.support.leaks.watch import watch
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import RedisServer

STAFF = ("operator", "correct horse battery staple")
TOKEN = "a-token-for-scripts"
# No Redis listens there.
NOWHERE = f"redis://{HOST}:1"


@pytest.fixture
def local_pod(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[LocalPod]:
    """The pod that the views read, with a registry that nobody else has used, and without Redis."""
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, redis_url=NOWHERE)
    get_pod.cache_clear()
    get_board.cache_clear()
    local_pod = get_pod()
    local_pod.registry.subscribed = True
    subscriber = local_pod.subscriber
    subscriber.subscribed = True

    def reason() -> str:
        return "" if subscriber.subscribed else f"not subscribed to Redis: {subscriber.last_error}"

    monkeypatch.setattr(local_pod.ingresses, "unready_reason", reason)
    yield local_pod
    get_pod.cache_clear()
    get_board.cache_clear()


@pytest.fixture
def board(local_pod: LocalPod) -> Board:
    return get_board()


@pytest.fixture
def connect(local_pod: LocalPod) -> Callable[..., Connection]:
    """Open a connection in the registry, without a socket."""
    return functools.partial(connect_with, local_pod.registry, address="10.0.0.1:5000")


def hear(pod: LocalPod, life: str, pod_name: str) -> None:
    """Let a pod hear another for long enough to be certain of it."""
    peers = pod.ingresses.peers
    peers.note([Statement(life, pod_name, 0.0, (0.0, 0.0))])
    peers._peers[life].first_at -= CERTAIN_SECONDS


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have gone to Redis."""
    calls: list[tuple[Any, ...]] = []

    async def apublish(*arguments: Any) -> Receipt:
        calls.append(arguments)
        return Receipt("evt-1", 2, None)

    monkeypatch.setattr("dashboard.actions.apublish", apublish)
    return calls


@pytest.fixture
def production(settings: Settings) -> None:
    """Let the views believe that they serve real devices."""
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, environment="production", admin_token=TOKEN)


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """A Chromium on a wide light screen, which remembers nothing."""
    shared_browser.get("about:blank")
    shared_browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    shared_browser.look()
    shared_browser.console()
    yield shared_browser
    watch.search_body(shared_browser.page_source.encode())


@pytest.fixture
def browser_without_javascript(tmp_path: Path) -> Iterator[Browser]:
    with browsing(tmp_path / "chromium", javascript=False) as browser:
        yield browser


@pytest.fixture(scope="session")
def production_pod(
    start_shared_pod: StartPod, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Pod:
    """A pod in production, with one staff user."""
    database = tmp_path_factory.mktemp("production") / "db.sqlite3"
    variables: dict[str, Any] = {
        **PRODUCTION,
        "DATABASE_URL": f"sqlite:///{database}",
        "REDIS_URL": redis_server.url,
        "ADMIN_TOKEN": TOKEN,
        "POD_NAME": "pod-production",
    }
    env = environment(**variables)
    assert run_manage("migrate", env=env).returncode == 0
    user, password = STAFF
    created = run_manage(
        *("createsuperuser", "--noinput", "--username", user, "--email", "operator@shop.example"),
        env={**env, "DJANGO_SUPERUSER_PASSWORD": password},
    )
    assert created.returncode == 0, created.stderr
    return start_shared_pod(**variables)
