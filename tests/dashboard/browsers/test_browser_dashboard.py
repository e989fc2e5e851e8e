"""The operators' pages in a real Chromium, against a real pod."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from streams.errors import CloseReason
from tests.conftest import StartPod
from tests.dashboard.browsers.axe import serious_violations
from tests.dashboard.browsers.browser import PHONE, Browser
from tests.dashboard.clients import Clients, connected
from tests.support.http import HOST
from tests.support.pods import Pod
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=alert(1)><script>alert(1)</script>"


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
        wait_until("a live page", lambda: one(browser, "[data-live-state]").text == "Live")

    return load


def one(browser: Browser, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: Browser, selector: str) -> list[str]:
    """Read many elements at one moment, whatever the page does meanwhile."""
    script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.textContent.trim())"
    found: list[str] = browser.execute_script(script, selector)
    return found


def names(browser: Browser) -> list[str]:
    return texts(browser, "[data-rows=connections] th")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/admin",
        "/admin/clients/STORE001-LANE01",
        "/admin/clients/STORE001-LANE01/disconnect",
        "/admin/clients/STORE001-LANE01/send",
        "/admin/clients/STORE404-LANE01",
        "/admin/clients/STORE404-LANE01/send",
        "/admin/login/",
    ],
)
def test_a_page_loads_in_silence_and_is_accessible(
    browser: Browser, own_pod: Pod, clients: Clients, path: str, dark: bool
) -> None:
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        browser.get(f"http://{HOST}:{own_pod.port}{path}")
        if browser.find_elements(By.CSS_SELECTOR, "[data-live]"):
            wait_until("a live page", lambda: one(browser, "[data-live-state]").text == "Live")
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert browser.console() == []


def assert_fits(browser: Browser) -> None:
    wider: int = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, f"{browser.current_url} is wider than the screen"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_dashboard_without_connections_is_accessible(browser: Browser, own_pod: Pod, dark: bool) -> None:
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        browser.get(f"http://{HOST}:{own_pod.port}/admin")
        wait_until("a live page", lambda: one(browser, "[data-live-state]").text == "Live")
        assert "No client is connected" in one(browser, "[data-shown=no_connection]").text
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert browser.console() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_name_that_no_client_can_have_leads_to_a_page(browser: Browser, own_pod: Pod, dark: bool) -> None:
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        browser.get(f"http://{HOST}:{own_pod.port}/admin/clients/-<img src=x onerror=alert(1)>")
        assert "No client can have the name" in one(browser, "main").text
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert_only_said(browser, "404 (Not Found)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_form_that_has_expired_says_so(browser: Browser, own_pod: Pod, clients: Clients, dark: bool) -> None:
    browser.look(dark=dark)
    browser.get(f"http://{HOST}:{own_pod.port}/admin/clients/STORE001-LANE01/disconnect")
    browser.delete_all_cookies()
    one(browser, "button.danger").click()
    wait_until("the answer", lambda: "This form has expired" in browser.title)
    assert own_pod.connections() == 3
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert_only_said(browser, "403 (Forbidden)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_full_of_trouble_is_accessible(
    browser: Browser, start_pod: StartPod, mortal_redis: RedisServer, dark: bool
) -> None:
    """Long names, a bad state, a message, a refused form: what the everyday pages do not show."""
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    longest = "STORE001-" + "W" * 119
    with connected(pod.port, [longest]) as clients:
        clients.connect(longest, headers=f"User-Agent: {'Lane/1.0 ' * 22}\r\n")
        mortal_redis.stop()
        browser.get(f"http://{HOST}:{pod.port}/admin")
        wait_until("a bad state", lambda: one(browser, ".verdict").get_attribute("data-level") == "bad")
        for path in ("/admin", f"/admin/clients/{longest}", f"/admin/clients/{longest}/send?data=x"):
            for size in ((1440, 900), PHONE):
                browser.look(size=size, dark=dark)
                browser.get(f"http://{HOST}:{pod.port}{path}")
                if path.endswith("data=x"):
                    one(browser, "main button").click()
                    wait_until("the refusal", lambda: texts(browser, ".errornote"))
                assert serious_violations(browser) == []
                assert_fits(browser)
        browser.get(f"http://{HOST}:{pod.port}/admin/clients/{longest}/disconnect")
        one(browser, "button.danger").click()
        wait_until("the message", lambda: texts(browser, ".messagelist li"))
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert_only_said(browser, "422 (")


def assert_only_said(browser: Browser, status: str) -> None:
    """Allow for what Chromium says of any page whose status is an error, and for nothing else."""
    assert [message for message in browser.console() if status not in message] == []


def test_connections_come_and_go_without_a_reload(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    visit("/admin")
    browser.execute_script("window.sameDocument = true")
    assert names(browser) == ["STORE001-LANE01", "STORE002-LANE01", "STORE003-LANE01"]
    clients.connect("STORE002-LANE02")
    wait_until("the new connection", lambda: "STORE002-LANE02" in names(browser), 4)
    assert names(browser)[2] == "STORE002-LANE02"
    assert one(browser, "[data-text=connections]").text == "4"
    clients.leave("STORE002-LANE01")
    wait_until("the end", lambda: "STORE002-LANE01" not in names(browser), 4)
    wait_until("its reason", lambda: CloseReason.CLIENT_CLOSED in texts(browser, "[data-rows=closes] [data-cell='1']"))
    assert texts(browser, "[data-rows=ends] [data-cell='1']")[0] == "STORE002-LANE01"
    assert browser.execute_script("return window.sameDocument") is True
    assert browser.console() == []


def test_an_update_keeps_focus_and_selection(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin")
    browser.execute_script(
        "window.row = document.querySelector('[data-key=STORE002-LANE01]');"
        "row.querySelector('a').focus(); getSelection().selectAllChildren(row.cells[1])"
    )
    clients.connect("STORE001-LANE02")
    wait_until("the new connection", lambda: len(names(browser)) == 4)
    assert browser.execute_script("return row.isConnected && document.activeElement === row.querySelector('a')")
    assert browser.execute_script("return String(getSelection()).length") > 10


def test_search_store_sort_and_page_survive_an_update(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    clients.connect(*(f"STORE009-LANE{lane:03d}" for lane in range(60)))
    visit("/admin")
    one(browser, "input[name=q]").send_keys("lane")
    one(browser, "input[name=store]").send_keys("STORE009")
    one(browser, ".search button").click()
    wait_until("the search", lambda: "store=STORE009" in browser.current_url)
    one(browser, ".head-name a").click()
    wait_until("the sort", lambda: "sort=-name" in browser.current_url)
    one(browser, "a[rel=next]").click()
    wait_until("the page", lambda: "page=2" in browser.current_url)
    expected = [f"STORE009-LANE{lane:03d}" for lane in range(9, -1, -1)]
    assert names(browser) == expected
    clients.connect("STORE009-LANE005B", "STORE008-LANE001")
    wait_until("the update", lambda: "STORE009-LANE005B" in names(browser))
    assert "STORE008-LANE001" not in names(browser)
    assert names(browser) == sorted(names(browser), reverse=True)
    assert one(browser, "[data-text=page]").text == "Page 2 of 2"
    assert one(browser, "[data-text=matched]").text == "61 of 65 connections"
    assert one(browser, "input[name=q]").get_attribute("value") == "lane"
    assert one(browser, ".head-name").get_attribute("aria-sort") == "descending"


def test_disconnect_asks_and_works(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin")
    one(browser, "[data-key=STORE002-LANE01] a").click()
    wait_until("the client's page", lambda: "/admin/clients/STORE002-LANE01" in browser.current_url)
    one(browser, "a.danger").click()
    wait_until("the question", lambda: "/disconnect" in browser.current_url)
    one(browser, "button.danger").click()
    wait_until("the message", lambda: texts(browser, ".messagelist li"))
    assert "was disconnected" in texts(browser, ".messagelist li")[0]
    assert texts(browser, "[data-rows=ends] td")[0] == "operator"
    assert "Not connected to this pod" in one(browser, "[data-text=headline]").text
    clients.connect("STORE002-LANE01")
    wait_until("its return", lambda: one(browser, "[data-text=headline]").text.startswith("Connected"))
    assert browser.console() == []


def test_a_test_event_reaches_the_client(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin/clients/STORE001-LANE01")
    browser.find_element(By.XPATH, "//button[contains(., 'Prepare')]").click()
    wait_until("the event", lambda: "/send" in browser.current_url)
    browser.find_element(By.XPATH, "//button[contains(., 'send it')]").click()
    wait_until("the message", lambda: texts(browser, ".messagelist li"))
    assert "hear" in texts(browser, ".messagelist li")[0]
    wait_until("the count", lambda: one(browser, "[data-text=event_count]").text == "1")


def test_the_state_of_redis_is_seen_at_once(browser: Browser, start_pod: StartPod, mortal_redis: RedisServer) -> None:
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    browser.get(f"http://{HOST}:{pod.port}/admin")
    wait_until("a good state", lambda: one(browser, ".verdict").get_attribute("data-level") == "good")
    mortal_redis.stop()
    wait_until("a bad state", lambda: one(browser, ".verdict").get_attribute("data-level") == "bad")
    assert one(browser, "[data-text=headline]").text.startswith("Deaf for")
    mortal_redis.start()
    wait_until("a good state", lambda: one(browser, ".verdict").get_attribute("data-level") == "good")
    assert "Redis was lost once" in " ".join(texts(browser, "[data-rows=notices] li"))


def test_a_page_comes_back_after_its_pod(
    browser: Browser, start_pod: StartPod, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = start_pod(REDIS_URL=redis_server.url)
    browser.get(f"http://{HOST}:{pod.port}/admin")
    wait_until("a live page", lambda: one(browser, "[data-live-state]").text == "Live")
    pod.terminate()
    wait_until("the loss", lambda: "lost" in one(browser, "[data-live-state]").text)
    monkeypatch.setattr("tests.support.pods.free_port", lambda: pod.port)
    start_pod(REDIS_URL=redis_server.url)
    wait_until("a live page", lambda: one(browser, "[data-live-state]").text == "Live")


def test_nothing_that_a_stranger_sends_becomes_markup(
    browser: Browser, visit: Callable[[str], None], clients: Clients, redis_server: RedisServer
) -> None:
    clients.connect("STORE666-LANE01", headers=f"User-Agent: {SCRIPT}\r\nX-Forwarded-For: {SCRIPT}\r\n")
    message = event("STORE666-LANE01", action=SCRIPT, eventId=SCRIPT, data={SCRIPT: SCRIPT})
    redis_server.client.publish(CHANNEL, json.dumps(message))
    for path in ("/admin", "/admin/clients/STORE666-LANE01"):
        visit(path)
        assert not browser.find_elements(By.CSS_SELECTOR, "img, main script")
    # They are there, as text: that nothing happened is not for want of them.
    assert one(browser, "[data-text=user_agent]").text == SCRIPT
    wait_until("the event", lambda: texts(browser, "[data-rows=events] strong") == [SCRIPT])
    clients.leave("STORE666-LANE01")
    # This row is made by the page's script, the one after the reload by the server.
    wait_until("the end", lambda: texts(browser, "[data-rows=ends] .wordy") == [SCRIPT])
    visit("/admin/clients/STORE666-LANE01")
    assert texts(browser, "[data-rows=ends] .wordy") == [SCRIPT]
    assert not browser.find_elements(By.CSS_SELECTOR, "img, main script")
    assert browser.console() == []


def test_without_javascript_the_tables_are_there(
    browser_without_javascript: Browser, own_pod: Pod, clients: Clients
) -> None:
    browser = browser_without_javascript
    browser.get(f"http://{HOST}:{own_pod.port}/admin?sort=-name")
    rows = browser.find_elements(By.CSS_SELECTOR, "[data-rows=connections] th")
    assert [row.text for row in rows] == ["STORE003-LANE01", "STORE002-LANE01", "STORE001-LANE01"]
    assert browser.find_elements(By.CSS_SELECTOR, "meta[http-equiv=refresh]")
    assert one(browser, ".verdict").get_attribute("data-level") == "good"
    # It refreshes itself.
    clients.connect("STORE004-LANE01")
    wait_until("the refresh", lambda: "STORE004-LANE01" in browser.page_source, 12)


def test_the_keyboard_reaches_everything(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin")
    script = (
        "return [...document.querySelectorAll('a[href], button, input, select')]"
        ".filter((found) => found.offsetParent && found.tabIndex < 0).map((found) => found.outerHTML)"
    )
    assert browser.execute_script(script) == []
