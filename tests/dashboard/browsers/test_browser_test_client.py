"""The test client in a real Chromium, against real pods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.conftest import StartPod
from tests.dashboard.browsers.browser import Browser
from tests.dashboard.browsers.lanes import LaneOnScreen
from tests.dashboard.clients import connected
from tests.support.http import HOST
from tests.support.pods import LOCKS_OFF, Pod, environment
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=alert(1)><script>alert(1)</script>"


@pytest.fixture
def publish(redis_server: RedisServer) -> Callable[..., None]:
    def publish_event(name: str, number: int = 0, **fields: object) -> None:
        redis_server.client.publish(CHANNEL, json.dumps(event(name, number, **fields)))

    return publish_event


@pytest.fixture
def open_client(browser: Browser, pod: Pod, client_name: str) -> Callable[..., LaneOnScreen]:
    """Open the page with one client of the test's own."""

    def open_page(port: int = pod.port) -> LaneOnScreen:
        browser.get(f"http://{HOST}:{port}/")
        browser.execute_script("localStorage.clear()")
        browser.reload()
        lane = LaneOnScreen(browser)
        lane.rename(client_name)
        return lane

    return open_page


def test_an_event_in_three_clicks(browser: Browser, open_client: Callable[..., LaneOnScreen]) -> None:
    lane = open_client()
    lane.connect()
    browser.press("[data-publish] button")
    item = lane.wait_item("signature", "evt-", " ms", '"transactionId"')
    # The event may come before the answer to the form.
    wait_until("the answer", lambda: browser.texts("[data-said]")[0].startswith("Published evt-"))
    said = browser.one("[data-said]").text
    event_id = said.split()[1].rstrip(";")
    assert event_id in item
    assert lane.part("last-id").text == event_id
    assert lane.part("pod").text == "pod-streamworker"
    assert browser.console() == []


def test_it_survives_a_restart_and_shows_what_happened(
    browser: Browser,
    open_client: Callable[..., LaneOnScreen],
    publish: Callable[..., None],
    start_pod: StartPod,
    redis_server: RedisServer,
    client_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pod = start_pod(REDIS_URL=redis_server.url, POD_NAME="pod-before")
    lane = open_client(pod.port)
    lane.connect()
    publish(client_name, 1)
    lane.wait_item("evt-00000001")
    pod.terminate()
    lane.wait_item("Trying again in")
    lane.wait_state("Connection lost")
    monkeypatch.setattr("tests.support.pods.free_port", lambda: pod.port)
    start_pod(REDIS_URL=redis_server.url, POD_NAME="pod-after")
    lane.wait_item("Connected again to pod-after")
    lane.wait_state("Connected to pod-after")
    publish(client_name, 2)
    lane.wait_item("evt-00000002")
    assert lane.part("last-id").text == "evt-00000002"


def test_an_evicted_client_says_so_and_stays_away(
    open_client: Callable[..., LaneOnScreen], pod: Pod, client_name: str
) -> None:
    lane = open_client()
    lane.connect()
    with connected(pod.port, [client_name]):
        lane.wait_item("A newer connection took this client's name")
        lane.wait_state("Stopped")
        assert lane.part("connect").is_enabled()


def test_an_operators_disconnect_is_told_and_overcome(
    browser: Browser, open_client: Callable[..., LaneOnScreen], pod: Pod, client_name: str
) -> None:
    lane = open_client()
    lane.connect()
    page = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(f"http://{HOST}:{pod.port}/admin/clients/{client_name}/disconnect")
    browser.press("button.danger")
    wait_until("the answer", lambda: browser.find_elements(By.CSS_SELECTOR, ".messagelist"))
    browser.close()
    browser.switch_to.window(page)
    lane.wait_item("An operator disconnected this client.")
    lane.wait_item("Connected again")


def test_the_heartbeat_is_seen(
    open_client: Callable[..., LaneOnScreen], start_pod: StartPod, redis_server: RedisServer
) -> None:
    pod = start_pod(REDIS_URL=redis_server.url, HEARTBEAT_SECONDS=1)
    lane = open_client(pod.port)
    lane.connect()

    def heard_at() -> str:
        # Nothing before the first one; in one step, as the page puts another element there each second.
        script = "const time = arguments[0].querySelector('time'); return time ? time.dateTime : ''"
        shown: str = lane.browser.execute_script(script, lane.part("heartbeat"))
        return shown

    wait_until("a heartbeat", heard_at)
    first = heard_at()
    wait_until("a later heartbeat", lambda: heard_at() > first)
    assert "beat" in (lane.part("pulse").get_attribute("class") or "").split()


def test_filter_pause_clear_and_disconnect(
    open_client: Callable[..., LaneOnScreen], publish: Callable[..., None], client_name: str
) -> None:
    lane = open_client()
    lane.connect()
    publish(client_name, 1, action="alert")
    publish(client_name, 2, action="receipt")
    lane.wait_item("evt-00000002")
    lane.part("filter").send_keys("ALERT")
    assert [item for item in lane.items() if "evt-" in item] == [lane.wait_item("evt-00000001")]
    lane.part("filter").clear()
    lane.part("filter").send_keys(" ")
    lane.part("pause").click()
    publish(client_name, 3)
    wait_until("a held event", lambda: "paused, 1 waiting" in lane.part("count").text)
    assert not any("evt-00000003" in item for item in lane.items())
    lane.part("pause").click()
    lane.wait_item("evt-00000003")
    lane.part("clear").click()
    assert lane.items() == []
    lane.part("disconnect").click()
    lane.wait_state("Not connected")
    assert lane.items()[0].endswith("You disconnected this client.")


def test_clients_stand_side_by_side_and_are_remembered(
    browser: Browser, open_client: Callable[..., LaneOnScreen], publish: Callable[..., None], client_name: str
) -> None:
    first = open_client()
    browser.press("[data-add]")
    second = LaneOnScreen(browser, 1)
    second.rename(f"{client_name}-B")
    first.connect()
    second.connect()
    publish(f"{client_name}-B", 7)
    second.wait_item("evt-00000007")
    assert not any("evt-00000007" in item for item in first.items())
    assert first.root.location["y"] == second.root.location["y"]
    browser.reload()
    names = [lane.get_attribute("value") for lane in browser.find_elements(By.CSS_SELECTOR, "[data-part=name]")]
    assert names == [client_name, f"{client_name}-B"]
    LaneOnScreen(browser, 1).part("remove").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, ".lane")) == 1


def test_another_pod_is_reached_by_its_url(
    browser: Browser, open_client: Callable[..., LaneOnScreen], start_pod: StartPod, redis_server: RedisServer
) -> None:
    other = start_pod(REDIS_URL=redis_server.url, POD_NAME="pod-elsewhere")
    lane = open_client()
    server = browser.one("[data-server]")
    server.clear()
    server.send_keys(f"http://{HOST}:{other.port}/\t")
    lane.part("register").click()
    lane.wait_item("registered. Connect to /events/")
    lane.connect()
    assert lane.part("pod").text == "pod-elsewhere"
    lane.part("copy").click()
    lane.wait_item(f"curl -N 'http://{HOST}:{other.port}/events/{lane.part('name').get_attribute('value')}'")
    browser.reload()
    server = browser.one("[data-server]")
    assert server.get_attribute("value") == f"http://{HOST}:{other.port}"
    assert browser.console() == []


def test_a_name_that_breaks_the_rule_is_refused_where_it_is_typed(open_client: Callable[..., LaneOnScreen]) -> None:
    lane = open_client()
    lane.rename("no spaces please")
    lane.part("connect").click()
    assert "A client name has" in (lane.part("name").get_property("validationMessage") or "")  # type: ignore[operator]
    assert lane.part("state").text == "Not connected"
    lane.rename("GOOD-NAME")
    lane.connect()


def test_nothing_in_an_event_becomes_markup(
    browser: Browser,
    open_client: Callable[..., LaneOnScreen],
    publish: Callable[..., None],
    redis_server: RedisServer,
    client_name: str,
) -> None:
    lane = open_client()
    lane.connect()
    publish(client_name, action=SCRIPT, eventId=SCRIPT, timestamp=SCRIPT, data={SCRIPT: SCRIPT})
    publish(client_name, action={"a": [1]}, eventId=5, timestamp=None, data=None)
    redis_server.client.publish(CHANNEL, json.dumps({"clientName": client_name}))
    wait_until("three events", lambda: lane.part("count").text.startswith("3 events"))
    assert lane.wait_item(SCRIPT)
    assert not browser.find_elements(By.CSS_SELECTOR, "main img, main script")
    assert browser.console() == []


def test_works_in_production(browser: Browser, start_pod: StartPod, redis_server: RedisServer):
    """A browser says that the page is of this site, and the stream opens."""
    pod = start_pod(
        REDIS_URL=redis_server.url,
        ENVIRONMENT="production",
        **LOCKS_OFF,
        SECRET_KEY="only-for-tests-" + "x" * 50,
        ADMIN_TOKEN="only-for-tests-" + "y" * 50,
        ALLOWED_HOSTS=HOST,
    )
    browser.get(f"http://{HOST}:{pod.port}/")
    lane = LaneOnScreen(browser)
    lane.connect()
    redis_server.publish(event("STORE001-LANE01", 1))
    lane.wait_item("evt-00000001")


def test_works_below_a_path(browser: Browser, redis_server: RedisServer, tmp_path: Path):
    pod = Pod("streamworker", tmp_path / "log", environment(REDIS_URL=redis_server.url), root_path="/sse")
    pod.wait_ready()
    try:
        browser.get(f"http://{HOST}:{pod.port}/sse/")
        lane = LaneOnScreen(browser)
        lane.connect()
        redis_server.publish(event("STORE001-LANE01", 1))
        lane.wait_item("evt-00000001")
        browser.get(f"http://{HOST}:{pod.port}/sse/admin")
        wait_until("the page to be live", lambda: browser.text("[data-live-state]") == "Live", 20)
    finally:
        pod.terminate()
    pod.assert_no_traceback()
