"""Pages that the browser keeps for its Back button: they let their streams go, and take them up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.dashboard.browsers.browser import Browser
from tests.dashboard.browsers.lanes import LaneOnScreen
from tests.dashboard.clients import Clients
from tests.support.http import HOST
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

# All that a browser opens to one host over HTTP/1.1.
CONNECTIONS = 6


@pytest.fixture
def back(browser: Browser) -> Iterator[Callable[[], None]]:
    """Go back to the page before, as it was left: the browser kept it and loads nothing."""

    def go_back() -> None:
        browser.back()
        wait_until("the page before", lambda: browser.complete("window.left === true"))
        assert browser.execute_script("return window.persisted"), "the browser did not keep the page"

    yield go_back
    browser.get("about:blank")


def leave_for(browser: Browser, url: str) -> None:
    browser.execute_script(
        "window.left = true; addEventListener('pageshow', (shown) => { window.persisted = shown.persisted; })"
    )
    browser.get(url)


def test_clients_let_their_streams_go_and_miss_nothing(
    browser: Browser, own_pod: Pod, redis_server: RedisServer, client_name: str, back: Callable[[], None]
) -> None:
    page = f"http://{HOST}:{own_pod.port}/"
    browser.get(page)
    browser.execute_script("localStorage.clear()")
    browser.reload()
    for _ in range(CONNECTIONS - 2):
        browser.press("[data-add]")
    lanes = [LaneOnScreen(browser, number) for number in range(CONNECTIONS - 1)]
    for number, lane in enumerate(lanes):
        lane.rename(f"{client_name}-{number}")
        lane.connect()
    redis_server.publish(event(f"{client_name}-0", 1))
    lanes[0].wait_item("evt-00000001")
    assert own_pod.connections() == len(lanes)

    leave_for(browser, f"{page}admin/clients/{client_name}-0")
    browser.wait_live()
    wait_until("the streams to end", lambda: own_pod.connections() == 0)
    redis_server.publish(event(f"{client_name}-0", 2))

    back()
    for lane in lanes:
        lane.wait_state("Connected to")
    lanes[0].wait_item("evt-00000002")
    assert own_pod.connections() == len(lanes)
    lanes[0].part("disconnect").click()
    lanes[0].wait_state("Not connected")
    wait_until("its stream to end", lambda: own_pod.connections() == len(lanes) - 1)


def test_a_client_that_is_not_connected_stays_so(
    browser: Browser, own_pod: Pod, client_name: str, back: Callable[[], None]
) -> None:
    browser.get(f"http://{HOST}:{own_pod.port}/")
    lane = LaneOnScreen(browser)
    lane.rename(client_name)
    leave_for(browser, "about:blank")
    back()
    assert lane.part("state").text == "Not connected"
    assert lane.items() == []


# Keeps the page's streams where a test can look at them.
KEEP_SOURCES = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(url) { super(url); window.sources.push(this); }
};
"""
OPEN, CLOSED = 1, 2


@pytest.fixture
def states(browser: Browser) -> Iterator[Callable[[], list[int]]]:
    """Read the state of each stream that the page has opened."""
    script = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": KEEP_SOURCES})

    def read() -> list[int]:
        found: list[int] = browser.execute_script("return window.sources.map((source) => source.readyState)")
        return found

    yield read
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.parametrize("path", ["/admin/pod", "/admin/clients/STORE001-LANE01"])
def test_a_live_page_lets_its_stream_go_and_is_live_again(
    browser: Browser,
    own_pod: Pod,
    visit: Callable[[str], None],
    clients: Clients,
    back: Callable[[], None],
    states: Callable[[], list[int]],
    path: str,
) -> None:
    visit(path)
    assert states() == [OPEN]
    leave_for(browser, "about:blank")
    clients.leave("STORE001-LANE01")
    back()
    browser.wait_live()
    assert states() == [CLOSED, OPEN]
    wait_until("what changed meanwhile", lambda: browser.texts("[data-rows=ends] td")[:1] != [])
    assert browser.console() == []
