"""The page of the API in a real Chromium: silent, accessible, as wide as its screen, and tried."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.dashboard.browsers.axe import serious_violations
from tests.dashboard.browsers.browser import PHONE, WIDE, Browser
from tests.dashboard.conftest import TOKEN
from tests.support.http import HOST
from tests.support.pods import Pod
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser


def answer(browser: Browser, name: str, status: str) -> str:
    """Return the answer that an endpoint's form shows, as soon as it has a status."""
    wait_until(f"{status} of {name}", lambda: browser.texts(f"#{name} [data-status]")[0].startswith(status))
    (shown,) = browser.texts(f"#{name} [data-answer]")
    return shown


def submit(browser: Browser, name: str) -> None:
    """Press the button of an endpoint's form with the keyboard."""
    browser.one(f"#{name} form button").send_keys(Keys.ENTER)


def test_requests_are_tried_from_the_page(browser: Browser, own_pod: Pod) -> None:
    for size, dark in ((WIDE, False), (PHONE, True)):
        browser.look(size=size, dark=dark)
        browser.get(f"http://{HOST}:{own_pod.port}/api")
        key = browser.one("#publish [name=Idempotency-Key]")
        key.send_keys(f"key-{dark}")
        submit(browser, "publish")
        assert '"state": "accepted"' in answer(browser, "publish", "202 Accepted")
        submit(browser, "publish")
        wait_until("the same again", lambda: "Idempotent-Replayed: true" in answer(browser, "publish", "202"))
        browser.one("#clients [name=limit]").send_keys("5")
        submit(browser, "clients")
        assert '"clients": [' in answer(browser, "clients", "200 OK")
        name = browser.one("#event [name=ID]")
        name.clear()
        name.send_keys("a/b ?")
        assert serious_violations(browser) == []
        wider: int = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0
        assert browser.console() == []
        submit(browser, "event")
        assert "unknown-event" in answer(browser, "event", "404")
        # Chromium tells of every status that is an error.
        assert [said for said in browser.console() if "404 (Not Found)" not in said] == []


def test_without_a_token_a_stranger_is_told_so(browser: Browser, production_pod: Pod) -> None:
    browser.get(f"http://{HOST}:{production_pod.port}/api")
    submit(browser, "pods")
    assert "unauthorized" in answer(browser, "pods", "401")
    browser.find_element(By.CSS_SELECTOR, "[data-token] input").send_keys(TOKEN)
    submit(browser, "pods")
    assert "pod-production" in answer(browser, "pods", "200 OK")
    # Chromium tells of every status that is an error.
    assert [said for said in browser.console() if "401 (Unauthorized)" not in said] == []
