"""Write docs/images/: each page, light and dark, wide and on a phone; run by `make screenshots`."""

from __future__ import annotations

import base64
import json
import os
import random
import tempfile
import threading
import time
from pathlib import Path

from selenium.webdriver.common.by import By

from streams.samples import sample_data
from streams.wire.timestamps import now_iso
from tests.dashboard.browsers.browser import PHONE, WIDE, Browser, open_browser
from tests.dashboard.clients import Clients, connected
from tests.support.http import HOST
from tests.support.pods import ROOT, Pod, environment
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import wait_until

IMAGES = ROOT / "docs" / "images"
NAMES = [f"STORE{store:03d}-LANE{lane:02d}" for store in range(1, 19) for lane in range(1, 8)]
# Long enough for the plots to show something.
SCENE_SECONDS = float(os.environ.get("SCENE_SECONDS", "100"))


def play(redis_server: RedisServer, clients: Clients, ended: threading.Event) -> None:
    """Let a morning's business happen."""
    actions = ["signature", "payment", "payment", "receipt", "status", "inventory", "alert"]
    began = time.monotonic()
    number = 0
    while not ended.wait(0.05):
        elapsed = time.monotonic() - began
        busy = 2 + (5 if 30 < elapsed < 50 else 0) + int(2 * random.random())
        for _ in range(busy):
            number += 1
            action = random.choice(actions)
            # Some are for clients of other pods.
            name = random.choice(NAMES) if random.random() < 0.4 else "STORE900-LANE01"
            message = event(name, number, action=action, data=sample_data(action), timestamp=now_iso())
            redis_server.client.publish(CHANNEL, json.dumps(message))
        if random.random() < 0.02:
            name = random.choice([name for name in clients.sockets if name not in NAMES[:8]])
            clients.leave(name)
            if random.random() < 0.8:
                clients.connect(name)
        if random.random() < 0.005:
            clients.connect(random.choice(NAMES[8:]))


def capture(browser: Browser, name: str) -> None:
    """Write one page in all four looks."""
    for scheme in ("light", "dark"):
        for size, place in ((WIDE, "wide"), (PHONE, "phone")):
            browser.look(size=size, dark=scheme == "dark")
            time.sleep(1.5)
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
            (IMAGES / f"{name}-{scheme}-{place}.png").write_bytes(base64.b64decode(shot["data"]))


def use_test_client(browser: Browser, url: str) -> None:
    """Connect two clients and publish to both."""
    browser.get(url)
    browser.one("[data-add]").click()
    for lane in browser.find_elements(By.CSS_SELECTOR, ".lane"):
        lane.find_element(By.CSS_SELECTOR, "[data-part=connect]").click()
    wait_until("both lanes", lambda: len(browser.find_elements(By.CSS_SELECTOR, ".lane[data-level=good]")) == 2)
    browser.one("[data-publish] button").click()
    wait_until("an event", lambda: browser.find_elements(By.CSS_SELECTOR, ".event"))


def main() -> None:
    """Bring up a pod, fill it with life and photograph it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        redis_server = RedisServer()
        redis_server.start()
        env = environment(REDIS_URL=redis_server.url, POD_NAME="pod-1", DATABASE_URL=f"sqlite:///{folder}/db.sqlite3")
        pod = Pod("streamworker", Path(folder) / "pod.log", env)
        browser = open_browser(Path(folder) / "profile")
        try:
            pod.wait_ready()
            photograph(pod, redis_server, browser)
        finally:
            browser.quit()
            pod.terminate()
            redis_server.stop()


def photograph(pod: Pod, redis_server: RedisServer, browser: Browser) -> None:
    """Take every picture."""
    url = f"http://{HOST}:{pod.port}"
    ended = threading.Event()
    with connected(pod.port, NAMES[2:]) as clients:
        business = threading.Thread(target=play, args=(redis_server, clients, ended))
        business.start()
        try:
            time.sleep(SCENE_SECONDS)
            browser.get(f"{url}/admin")
            capture(browser, "dashboard")
            browser.get(f"{url}/admin/clients/{NAMES[2]}")
            clients.connect(NAMES[2], headers="User-Agent: LaneTerminal/4.2 (Linux; armv7l)\r\n")
            capture(browser, "client")
            browser.get(f"{url}/admin/clients/{NAMES[2]}/disconnect")
            capture(browser, "disconnect")
            browser.get(f"{url}/admin/clients/{NAMES[2]}/send?action=payment")
            capture(browser, "send")
            browser.get(f"{url}/admin/login/")
            capture(browser, "login")
            use_test_client(browser, url)
            capture(browser, "test-client")
        finally:
            ended.set()
            business.join()


if __name__ == "__main__":
    main()
