"""The pages of a cluster of three pods as they follow it, in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import redis.asyncio

from streams.roster.reading.reader import RosterReader
from tests.conftest import StartPod
from tests.dashboard.browsers.axe import serious_violations
from tests.dashboard.browsers.browser import PHONE, WIDE, Browser
from tests.dashboard.clients import Clients, connected
from tests.support.http import HOST
from tests.support.marks import long
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, RedisServer, running_redis
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

LANES = [f"STORE007-LANE{lane:02d}" for lane in range(1, 7)]
MISSING_SECONDS = 10
# A beat of the pods, and the tally's second.
SOON = 12


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def pods(start_shared_pod: StartPod, own_redis: RedisServer) -> list[Pod]:
    return [
        start_shared_pod(REDIS_URL=own_redis.url, POD_NAME=f"pod-{number}", MISSING_SECONDS=MISSING_SECONDS)
        for number in (1, 2, 3)
    ]


@pytest.fixture
def clients(pods: list[Pod], own_redis: RedisServer) -> Iterator[Clients]:
    """The lanes of a store, all of them on the pod that nobody asks, and expected."""
    asyncio.run(expect(own_redis))
    with connected(pods[2].port, LANES) as clients:
        yield clients


async def expect(server: RedisServer) -> None:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await RosterReader(client, CHANNEL).expect("STORE007", LANES)


@pytest.fixture
def visit(browser: Browser, pods: list[Pod]) -> Callable[[str], None]:
    """Load a page of the first pod and wait until it is live."""

    def load(path: str) -> None:
        browser.get(f"http://{HOST}:{pods[0].port}{path}")
        browser.wait_live()
        browser.execute_script("window.sameDocument = true")

    return load


def headline(browser: Browser) -> str:
    return browser.texts("[data-text=headline]")[0]


def states(browser: Browser) -> list[str]:
    return browser.texts("[data-rows=lanes] .badge")


def test_a_lane_that_goes_is_missed_by_every_page(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    visit("/admin")
    wait_until("all of them", lambda: headline(browser).startswith("All is well: 6 clients on 3 pods"), SOON)
    assert browser.texts("[data-rows=pods] th a") == ["pod-1", "pod-2", "pod-3"]
    wait_until("what the pod says", lambda: browser.texts("[data-rows=pods] [data-cell='5']") == ["0", "0", "6"], SOON)
    clients.leave(LANES[2])
    wait_until("the loss", lambda: "STORE007 misses LANE03 since" in headline(browser), MISSING_SECONDS + SOON)
    assert browser.one(".verdict").get_attribute("data-level") == "warning"
    # This row was made by the page's script.
    row = browser.one("[data-rows=attention] tr")
    assert row.find_element("css selector", ".badge").get_attribute("data-state") == "partial"
    assert browser.execute_script("return window.sameDocument") is True
    browser.press("[data-rows=attention] a")
    browser.wait_url("/admin/stores/STORE007")
    browser.wait_live()
    assert states(browser).count("missing") == 1
    browser.execute_script("window.sameDocument = true")
    clients.connect(LANES[2])
    wait_until("its return", lambda: states(browser) == ["connected"] * 6, SOON)
    assert headline(browser) == "6 of 6 lanes connected; no lane that is expected is missing."
    assert browser.execute_script("return window.sameDocument") is True
    assert browser.console() == []


def test_a_client_of_another_pod_is_seen_and_disconnected(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    name = LANES[0]
    visit(f"/admin/clients/{name}")
    wait_until("the client", lambda: headline(browser) == "Connected to pod-3.", SOON)
    wait_until("its beginning", lambda: browser.texts("[data-rows=timeline] th")[:1] == ["opened"], SOON)
    browser.press("a.danger")
    browser.wait_url("/disconnect")
    assert "pod-3" in browser.one(".question").text
    browser.press("button.danger")
    assert "is being disconnected by pod-3" in browser.wait_texts(".messagelist li")[0]
    wait_until("its end", lambda: headline(browser) == "Not connected. An operator disconnected it.")
    wait_until("how it was", lambda: browser.texts("[data-rows=timeline] th")[:1] == ["closed"], SOON)
    clients.connect(name)
    wait_until("its return", lambda: headline(browser) == "Connected to pod-3.", SOON)
    assert browser.console() == []


def test_lanes_are_said_and_retired(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin/stores/STORE007")
    browser.press("a.button")
    browser.wait_url("/expected")
    typed = browser.one("textarea")
    assert typed.get_attribute("value") == "\n".join(name.removeprefix("STORE007-") for name in LANES)
    typed.send_keys("\nLANE99")
    browser.button("Prepare").click()
    wait_until("the question", lambda: "Expected from now on: LANE99." in browser.text("main"))
    assert_good(browser)
    browser.button("Yes, say so").click()
    assert "7 lanes of STORE007 are expected now." in browser.wait_texts(".messagelist li")[0]
    browser.press("[data-key=STORE007-LANE99] [href$='/retire']")
    browser.wait_url("STORE007-LANE99/retire")
    assert_good(browser)
    browser.button("Yes, retire it").click()
    assert "STORE007-LANE99 is retired" in browser.wait_texts(".messagelist li")[0]
    assert browser.texts("[data-rows=lanes] th a") == [name.removeprefix("STORE007-") for name in LANES]
    assert browser.console() == []


@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/stores", "/admin/stores/STORE007", f"/admin/clients/{LANES[0]}", "/admin/pods/pod-2"],
)
def test_a_page_is_accessible_and_fits(
    browser: Browser, pods: list[Pod], clients: Clients, path: str, dark: bool
) -> None:
    clients.leave(LANES[1])
    browser.get(f"http://{HOST}:{pods[0].port}{path}")
    assert_good(browser, dark=dark)
    assert browser.console() == []


def assert_good(browser: Browser, *, dark: bool = False) -> None:
    for size in (WIDE, PHONE):
        browser.look(size=size, dark=dark)
        assert serious_violations(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
    browser.look()


def test_without_javascript_the_cluster_is_there(
    browser_without_javascript: Browser, pods: list[Pod], clients: Clients
) -> None:
    browser = browser_without_javascript
    url = f"http://{HOST}:{pods[0].port}"

    def names() -> list[str]:
        browser.get(f"{url}/admin/stores?q=store007")
        return [found.text for found in browser.find_elements("css selector", "[data-rows=stores] th")]

    wait_until("the store", lambda: names() == ["STORE007"], SOON)
    browser.get(f"{url}/admin")
    assert [found.text for found in browser.find_elements("css selector", "[data-rows=pods] th a")] == [
        "pod-1",
        "pod-2",
        "pod-3",
    ]
    assert browser.find_elements("css selector", "meta[http-equiv=refresh]")
    browser.one("input[name=q]").send_keys(LANES[0])
    browser.button("Find").click()
    wait_until("the client's page", lambda: browser.current_url.endswith(f"/admin/clients/{LANES[0]}"))


def test_the_keyboard_reaches_everything(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    script = (
        "return [...document.querySelectorAll('a[href], button, input, select, textarea')]"
        ".filter((found) => found.offsetParent && found.tabIndex < 0).map((found) => found.outerHTML)"
    )
    for path in ("/admin", "/admin/stores", "/admin/stores/STORE007", f"/admin/clients/{LANES[0]}"):
        visit(path)
        assert browser.execute_script(script) == []
        assert browser.texts("a.skip-to-content-link"), "the way past the menu"
