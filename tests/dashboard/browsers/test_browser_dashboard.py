"""The operators' pages as they follow a real pod, in a real Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from selenium.webdriver.common.by import By

from streams.errors import CloseReason
from tests.conftest import StartPod
from tests.dashboard.browsers.browser import Browser
from tests.dashboard.clients import Clients
from tests.support.http import HOST
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=alert(1)><script>alert(1)</script>"


def names(browser: Browser) -> list[str]:
    return browser.texts("[data-rows=connections] th")


def test_connections_come_and_go_without_a_reload(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    visit("/admin/pod")
    browser.execute_script("window.sameDocument = true")
    assert names(browser) == ["STORE001-LANE01", "STORE002-LANE01", "STORE003-LANE01"]
    clients.connect("STORE002-LANE02")
    wait_until("the new connection", lambda: "STORE002-LANE02" in names(browser), 4)
    assert names(browser)[2] == "STORE002-LANE02"
    assert browser.one("[data-text=connections]").text == "4"
    clients.leave("STORE002-LANE01")
    wait_until("the end", lambda: "STORE002-LANE01" not in names(browser), 4)
    wait_until("its reason", lambda: CloseReason.CLIENT_CLOSED in browser.texts("[data-rows=closes] [data-cell='1']"))
    assert browser.texts("[data-rows=ends] [data-cell='1']")[0] == "STORE002-LANE01"
    assert browser.execute_script("return window.sameDocument") is True
    assert browser.console() == []


def test_an_update_keeps_focus_and_selection(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin/pod")
    browser.execute_script(
        "window.row = document.querySelector('[data-key=STORE002-LANE01]');"
        "row.querySelector('a').focus(); getSelection().selectAllChildren(row.cells[0])"
    )
    clients.connect("STORE001-LANE02")
    wait_until("the new connection", lambda: len(names(browser)) == 4)
    assert browser.execute_script("return row.isConnected && document.activeElement === row.querySelector('a')")
    assert browser.execute_script("return String(getSelection()).length") > 10


def test_search_store_sort_and_page_survive_an_update(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    clients.connect(*(f"STORE009-LANE{lane:03d}" for lane in range(60)))
    visit("/admin/pod")
    browser.one("input[name=q]").send_keys("lane")
    browser.one("input[name=store]").send_keys("STORE009")
    browser.press(".search button")
    browser.wait_url("store=STORE009")
    browser.press(".head-name a")
    browser.wait_url("sort=-name")
    browser.press("a[rel=next]")
    browser.wait_url("page=2")
    expected = [f"STORE009-LANE{lane:03d}" for lane in range(9, -1, -1)]
    assert names(browser) == expected
    clients.connect("STORE009-LANE005B", "STORE008-LANE001")
    wait_until("the update", lambda: "STORE009-LANE005B" in names(browser))
    assert "STORE008-LANE001" not in names(browser)
    assert names(browser) == sorted(names(browser), reverse=True)
    assert browser.one("[data-text=page]").text == "Page 2 of 2"
    assert browser.one("[data-text=matched]").text == "61 of 65 connections"
    assert browser.one("input[name=q]").get_attribute("value") == "lane"
    assert browser.one(".head-name").get_attribute("aria-sort") == "descending"


def test_disconnect_asks_and_works(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin/pod")
    browser.press("[data-key=STORE002-LANE01] a")
    browser.wait_url("/admin/clients/STORE002-LANE01")
    browser.press("a.danger")
    browser.wait_url("/disconnect")
    browser.press("button.danger")
    assert "was disconnected" in browser.wait_texts(".messagelist li")[0]
    assert browser.texts("[data-rows=ends] td")[0] == "operator"
    assert "Not connected." in browser.one("[data-text=headline]").text
    clients.connect("STORE002-LANE01")
    wait_until("its return", lambda: browser.text("[data-text=headline]").startswith("Connected"))
    assert browser.console() == []


def test_a_test_event_reaches_the_client(browser: Browser, visit: Callable[[str], None], clients: Clients) -> None:
    visit("/admin/clients/STORE001-LANE01")
    browser.button("Prepare").click()
    browser.wait_url("/send")
    browser.button("send it").click()
    assert "is connected to pod-dashboard" in browser.wait_texts(".messagelist li")[0]
    wait_until("the count", lambda: browser.text("[data-text=event_count]") == "1")


def test_the_state_of_redis_is_seen_at_once(browser: Browser, start_pod: StartPod, mortal_redis: RedisServer) -> None:
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    browser.get(f"http://{HOST}:{pod.port}/admin/pod")
    wait_until("a good state", lambda: browser.one(".verdict").get_attribute("data-level") == "good")
    mortal_redis.stop()
    wait_until("a bad state", lambda: browser.one(".verdict").get_attribute("data-level") == "bad")
    assert browser.one("[data-text=headline]").text.startswith("Disconnected from Redis for")
    mortal_redis.start()
    wait_until("a good state", lambda: browser.one(".verdict").get_attribute("data-level") == "good")
    assert "Redis was lost once" in " ".join(browser.texts("[data-rows=notices] li"))


def test_a_page_comes_back_after_its_pod(
    browser: Browser, start_pod: StartPod, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = start_pod(REDIS_URL=redis_server.url)
    browser.get(f"http://{HOST}:{pod.port}/admin/pod")
    browser.wait_live()
    pod.terminate()
    wait_until("the loss", lambda: "lost" in browser.text("[data-live-state]"))
    monkeypatch.setattr("tests.support.pods.free_port", lambda: pod.port)
    start_pod(REDIS_URL=redis_server.url)
    browser.wait_live()


def test_nothing_that_a_stranger_sends_becomes_markup(
    browser: Browser, visit: Callable[[str], None], clients: Clients, redis_server: RedisServer
) -> None:
    clients.connect("STORE666-LANE01", headers=f"User-Agent: {SCRIPT}\r\nX-Forwarded-For: {SCRIPT}\r\n")
    message = event("STORE666-LANE01", action=SCRIPT, eventId=SCRIPT, data={SCRIPT: SCRIPT})
    redis_server.client.publish(CHANNEL, json.dumps(message))
    for path in ("/admin", "/admin/pod", "/admin/clients/STORE666-LANE01"):
        visit(path)
        assert not browser.find_elements(By.CSS_SELECTOR, "img, main script")
    # They are there, as text: that nothing happened is not for want of them.
    assert browser.one("[data-text=user_agent]").text == SCRIPT
    wait_until("the event", lambda: browser.texts("[data-rows=events] strong") == [SCRIPT])
    clients.leave("STORE666-LANE01")
    # This row is made by the page's script, the one after the reload by the server.
    wait_until("the end", lambda: browser.texts("[data-rows=ends] .wordy") == [SCRIPT])
    visit("/admin/clients/STORE666-LANE01")
    assert browser.texts("[data-rows=ends] .wordy") == [SCRIPT]
    assert not browser.find_elements(By.CSS_SELECTOR, "img, main script")
    assert browser.console() == []


def test_times_go_on_and_are_shown_as_somebody_likes(
    browser: Browser, visit: Callable[[str], None], clients: Clients
) -> None:
    visit("/admin/pod")
    since = "[data-key=STORE001-LANE01] td[data-cell='2'] time"
    wait_until("time to pass", lambda: re.fullmatch(r"(2|3|4) s ago|.* min ago", browser.text(since)), 10)
    switch = browser.one("[data-times]")
    assert switch.text == "Times: ago"
    switch.click()
    shown = browser.one(since)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", shown.text)
    moment = shown.get_attribute("datetime")
    assert moment is not None
    assert shown.text == shown_as(moment)
    assert shown.get_attribute("title") == f"{shown.text} UTC"
    visit("/admin/clients/STORE001-LANE01")
    assert browser.one("[data-times]").text == "Times: UTC", "it is remembered"
    assert browser.one("time[data-text=since]").text == shown_as(moment)
    browser.press("[data-times]")
    browser.press("[data-times]")
    assert browser.one("[data-times]").text == "Times: ago"


def shown_as(moment: str) -> str:
    return moment[:19].replace("T", " ")
