"""The test client where streams need a token, in a real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from tests.conftest import StartPod
from tests.dashboard.browsers.axe import serious_violations
from tests.dashboard.browsers.browser import Browser
from tests.dashboard.browsers.lanes import LaneOnScreen
from tests.dashboard.conftest import STAFF
from tests.e2e.auth.conftest import issue
from tests.streams.auth.issuer import SECRET
from tests.support.http import HOST
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import RedisServer, event

pytestmark = pytest.mark.browser

# All that a page leaves behind, and what stands in its address.
LEFT = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state])"


@pytest.fixture
def locked_pod(start_pod: StartPod, redis_server: RedisServer, tmp_path: Path) -> Pod:
    """A pod in production whose streams need a token, with a superuser."""
    variables: dict[str, Any] = {
        **PRODUCTION,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "REDIS_URL": redis_server.url,
        "STREAM_AUTH": "required",
        "TOKEN_SECRET": SECRET,
        "TOKEN_LEEWAY_SECONDS": 0,
        "SECURE_COOKIES": "off",
        "ALLOWED_HOSTS": HOST,
    }
    env = environment(**variables)
    assert run_manage("migrate", env=env).returncode == 0
    made = {**env, "DJANGO_SUPERUSER_PASSWORD": STAFF[1]}
    created = run_manage("createsuperuser", "--noinput", "--username", STAFF[0], "--email", "a@shop.example", env=made)
    assert created.returncode == 0, created.stderr
    return start_pod(**variables)


def open_page(browser: Browser, pod: Pod, name: str) -> LaneOnScreen:
    browser.get(f"http://{HOST}:{pod.port}/")
    lane = LaneOnScreen(browser)
    lane.rename(name)
    return lane


def test_stream_with_a_token_that_is_pasted(
    browser: Browser, locked_pod: Pod, redis_server: RedisServer, client_name: str
):
    lane = open_page(browser, locked_pod, client_name)
    lane.part("connect").click()
    lane.wait_state("Stopped")
    lane.wait_item("The server answered 401.", "paste one, or sign in as an operator who may act.")
    token = browser.one("[data-token]")
    token.send_keys(issue(f"{client_name}-other"))
    lane.part("connect").click()
    lane.wait_item("The server answered 403.")
    token.clear()
    given = issue(client_name, 4)
    token.send_keys(given)
    lane.connect()
    redis_server.publish(event(client_name, 1))
    lane.wait_item("evt-00000001")
    lane.part("copy").click()
    lane.wait_item('curl -N -H "Authorization: Bearer $TOKEN"')
    # It does not ask again and again with what has ended.
    lane.wait_item("Paste a new token, and connect again.")
    lane.wait_state("Stopped")
    assert given not in browser.execute_script(LEFT)
    assert given not in browser.execute_script("return document.documentElement.outerHTML")
    assert given not in locked_pod.log
    browser.reload()
    assert browser.one("[data-token]").get_property("value") == ""


def test_stream_of_an_operator_who_is_signed_in(
    browser: Browser, locked_pod: Pod, redis_server: RedisServer, client_name: str
):
    browser.get(f"http://{HOST}:{locked_pod.port}/admin/login/?next=/")
    for field, value in zip(("username", "password"), STAFF, strict=True):
        browser.find_element(By.NAME, field).send_keys(value)
    browser.press("[type=submit]")
    browser.wait_url(f":{locked_pod.port}/")
    lane = open_page(browser, locked_pod, client_name)
    lane.connect()
    redis_server.publish(event(client_name, 1))
    lane.wait_item("evt-00000001")
    assert serious_violations(browser) == []
    assert browser.console() == []
    assert "eyJ" not in browser.execute_script(LEFT)
    # Signed in no more: one sentence, and nothing is tried again.
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    lane.part("disconnect").click()
    lane.part("connect").click()
    lane.wait_state("Stopped")
    lane.wait_item("You are not signed in any more; load the page again.")
    locked_pod.wait_log(f"made a token for the stream of {client_name}")
    assert "eyJ" not in locked_pod.log
