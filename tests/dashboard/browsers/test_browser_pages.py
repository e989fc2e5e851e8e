"""Every page of the operators in a real Chromium: silent, accessible, as wide as its screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium.webdriver.common.by import By

from tests.conftest import StartPod
from tests.dashboard.browsers.axe import serious_violations
from tests.dashboard.browsers.browser import PHONE, Browser
from tests.dashboard.clients import Clients, connected
from tests.support.http import HOST
from tests.support.marks import long
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/admin",
        "/admin/pod",
        "/admin/tokens",
        "/admin/stores",
        "/admin/stores/STORE001",
        "/admin/stores/STORE001/expected",
        "/admin/stores/STORE404",
        "/admin/clients/STORE001-LANE01",
        "/admin/clients/STORE001-LANE01/retire",
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
            browser.wait_live()
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert browser.console() == []


def assert_fits(browser: Browser) -> None:
    wider: int = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, f"{browser.current_url} is wider than the screen"


@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
def test_a_dashboard_without_connections_is_accessible(browser: Browser, own_pod: Pod, dark: bool) -> None:
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        browser.get(f"http://{HOST}:{own_pod.port}/admin/pod")
        browser.wait_live()
        assert "No client is connected" in browser.one("[data-shown=no_connection]").text
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert browser.console() == []


@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
def test_a_name_that_no_client_can_have_leads_to_a_page(browser: Browser, own_pod: Pod, dark: bool) -> None:
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        browser.get(f"http://{HOST}:{own_pod.port}/admin/clients/-<img src=x onerror=alert(1)>")
        assert "No client can have the name" in browser.one("main").text
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert_only_said(browser, "404 (Not Found)")


@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
def test_a_form_that_has_expired_says_so(browser: Browser, own_pod: Pod, clients: Clients, dark: bool) -> None:
    browser.look(dark=dark)
    browser.get(f"http://{HOST}:{own_pod.port}/admin/clients/STORE001-LANE01/disconnect")
    browser.delete_all_cookies()
    browser.press("button.danger")
    wait_until("the answer", lambda: "This form has expired" in browser.title)
    assert own_pod.connections() == 3
    for size in ((1440, 900), PHONE):
        browser.look(size=size, dark=dark)
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert_only_said(browser, "403 (Forbidden)")


@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
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
        browser.get(f"http://{HOST}:{pod.port}/admin/pod")
        wait_until("a bad state", lambda: browser.one(".verdict").get_attribute("data-level") == "bad")
        for path in (
            "/admin",
            "/admin/pod",
            "/admin/stores",
            f"/admin/clients/{longest}",
            f"/admin/clients/{longest}/send?data=x",
        ):
            for size in ((1440, 900), PHONE):
                browser.look(size=size, dark=dark)
                browser.get(f"http://{HOST}:{pod.port}{path}")
                if path.endswith("data=x"):
                    browser.press("main button")
                    browser.wait_texts(".errornote")
                assert serious_violations(browser) == []
                assert_fits(browser)
        browser.get(f"http://{HOST}:{pod.port}/admin/clients/{longest}/disconnect")
        browser.press("button.danger")
        browser.wait_texts(".messagelist li")
        assert serious_violations(browser) == []
        assert_fits(browser)
    assert_only_said(browser, "422 (")


def assert_only_said(browser: Browser, status: str) -> None:
    """Allow for what Chromium says of any page whose status is an error, and for nothing else."""
    assert [message for message in browser.console() if status not in message] == []


def test_without_javascript_the_tables_are_there(
    browser_without_javascript: Browser, own_pod: Pod, clients: Clients
) -> None:
    browser = browser_without_javascript
    browser.get(f"http://{HOST}:{own_pod.port}/admin/pod?sort=-name")
    rows = browser.find_elements(By.CSS_SELECTOR, "[data-rows=connections] th")
    assert [row.text for row in rows] == ["STORE003-LANE01", "STORE002-LANE01", "STORE001-LANE01"]
    assert browser.find_elements(By.CSS_SELECTOR, "meta[http-equiv=refresh]")
    assert browser.one(".verdict").get_attribute("data-level") == "good"
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
