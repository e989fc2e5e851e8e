"""Who may look, in production, on a real pod with a real login."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from selenium.webdriver.common.by import By

from tests.dashboard.browsers.axe import serious_violations
from tests.dashboard.browsers.browser import PHONE, WIDE, Browser
from tests.dashboard.conftest import STAFF, TOKEN
from tests.support.http import HOST, EventStream, request_bytes
from tests.support.marks import long
from tests.support.pods import Pod
from tests.support.waiting import wait_until

AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("target", ["/admin/connections", "/admin/client/X", "/admin/live"])
def test_without_login_or_token_json_is_refused(production_pod: Pod, target: str) -> None:
    answer = production_pod.fetch(target)
    assert answer.status == 401
    assert "/admin/login/" in answer.json()["error"]
    forged = production_pod.fetch(target, headers={"Cookie": "sessionid=forged:1abc:signature"})
    assert forged.status == 401


def test_scripts_read_json_with_the_token(production_pod: Pod) -> None:
    assert production_pod.fetch("/admin/connections", headers=AUTHORIZATION).json()["totalConnections"] == 0


async def test_scripts_may_listen_too(production_pod: Pod) -> None:
    reader, writer = await asyncio.open_connection(HOST, production_pod.port)
    async with EventStream(reader, writer) as stream:
        writer.write(request_bytes("GET", "/admin/live", AUTHORIZATION))
        await stream.read_head()
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        content = await stream.next_json()
        assert content["texts"]["connections"] == "0"


@pytest.mark.parametrize("target", ["/admin/live", "/admin/connections", "/admin"])
def test_pages_of_other_origins_learn_nothing(production_pod: Pod, target: str) -> None:
    answer = production_pod.fetch(target, headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_other_methods_are_refused(production_pod: Pod) -> None:
    answer = production_pod.fetch("/admin/live", method="POST")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.browser
def test_the_login_wall(browser: Browser, production_pod: Pod) -> None:
    url = f"http://{HOST}:{production_pod.port}"
    browser.get(f"{url}/admin?q=lane")
    assert "/admin/login/?next=/admin%3Fq%3Dlane" in browser.current_url
    assert serious_violations(browser) == []
    user, password = STAFF
    browser.find_element(By.NAME, "username").send_keys(user)
    browser.find_element(By.NAME, "password").send_keys("wrong")
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    wait_until("the refusal", lambda: browser.find_elements(By.CSS_SELECTOR, ".errornote"))
    assert serious_violations(browser) == []
    browser.find_element(By.NAME, "username").clear()
    browser.find_element(By.NAME, "username").send_keys(user)
    browser.find_element(By.NAME, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    wait_until("the dashboard", lambda: browser.current_url == f"{url}/admin/pod?q=lane")
    live = (By.CSS_SELECTOR, "[data-live-state]")
    wait_until("a live page", lambda: browser.find_element(*live).text == "Live")
    assert serious_violations(browser) == []
    browser.get(f"{url}/admin/connections")
    assert '"totalConnections":0' in browser.page_source
    browser.get(f"{url}/admin/")
    assert browser.current_url == f"{url}/admin"
    browser.find_element(By.CSS_SELECTOR, "#logout-form button").click()
    wait_until("the end of the session", lambda: "logged" in browser.page_source.lower())
    assert serious_violations(browser) == []
    browser.get(f"{url}/admin")
    assert "/admin/login/" in browser.current_url
    assert browser.console() == []


@pytest.fixture
def sign_in(browser: Browser, production_pod: Pod) -> Callable[[str], None]:
    """Fill the login form in, with the right user and any password."""

    def fill(password: str) -> None:
        browser.get(f"http://{HOST}:{production_pod.port}/admin/login/?next=/admin")
        browser.find_element(By.NAME, "username").send_keys(STAFF[0])
        browser.find_element(By.NAME, "password").send_keys(password)
        browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()

    return fill


def look_closely(browser: Browser, dark: bool) -> None:
    """Hold the page that is there against axe-core, wide and on a phone."""
    for size in (PHONE, WIDE):
        browser.look(size=size, dark=dark)
        assert serious_violations(browser) == [], browser.current_url
        wider: int = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{browser.current_url} is wider than the screen"


@pytest.mark.browser
@pytest.mark.parametrize("dark", [pytest.param(False, id="light"), long(True, "dark")])
def test_the_pages_of_the_login_are_accessible(
    browser: Browser, production_pod: Pod, sign_in: Callable[[str], None], dark: bool
) -> None:
    url = f"http://{HOST}:{production_pod.port}"
    sign_in("wrong")
    wait_until("the refusal", lambda: browser.find_elements(By.CSS_SELECTOR, ".errornote"))
    look_closely(browser, dark)
    sign_in(STAFF[1])
    wait_until("the dashboard", lambda: browser.current_url == f"{url}/admin")
    for path in (
        "/admin",
        "/admin/clients/STORE001-LANE01",
        "/admin/auth/",
        "/admin/auth/user/",
        "/admin/auth/user/?q=nobody",
        "/admin/auth/user/1/change/",
        "/admin/auth/user/1/password/",
        "/admin/auth/user/1/history/",
        "/admin/auth/user/1/delete/",
        "/admin/auth/user/add/",
        "/admin/password_change/",
        "/admin/password_change/done/",
    ):
        browser.get(f"{url}{path}")
        assert browser.current_url == f"{url}{path}"
        look_closely(browser, dark)
    browser.find_element(By.CSS_SELECTOR, "#logout-form button").click()
    wait_until("the end of the session", lambda: "logged" in browser.page_source.lower())
    look_closely(browser, dark)
    assert browser.console() == []
