"""Write docs/images/: each page, light and dark, wide and on a phone; run by `make screenshots`."""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
import time
from pathlib import Path

from selenium.webdriver.common.by import By

from tests.dashboard.browsers.browser import PHONE, WIDE, Browser, open_browser
from tests.dashboard.browsers.scene import business, cluster, missing
from tests.support.http import HOST
from tests.support.pods import ROOT, Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

IMAGES = ROOT / "docs" / "images"
# Long enough for the plots to show something.
SCENE_SECONDS = float(os.environ.get("SCENE_SECONDS", "100"))
PAGES = {
    "dashboard": "/admin",
    "pod": "/admin/pod",
    "stores": "/admin/stores",
    "store": "/admin/stores/STORE007",
    "missing": "/admin/clients/STORE007-LANE03",
    "client": "/admin/clients/STORE001-LANE03",
    "disconnect": "/admin/clients/STORE001-LANE03/disconnect",
    "send": "/admin/clients/STORE001-LANE03/send?action=payment",
    "expected": "/admin/stores/STORE007/expected",
    "retire": "/admin/clients/STORE007-LANE03/retire",
    "other-pod": "/admin/pods/pod-2",
    "login": "/admin/login/",
}


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
    browser.press("[data-add]")
    for lane in browser.find_elements(By.CSS_SELECTOR, ".lane"):
        lane.find_element(By.CSS_SELECTOR, "[data-part=connect]").click()
    wait_until("both lanes", lambda: len(browser.find_elements(By.CSS_SELECTOR, ".lane[data-level=good]")) == 2)
    browser.press("[data-publish] button")
    wait_until("an event", lambda: browser.find_elements(By.CSS_SELECTOR, ".event"))


def main() -> None:
    """Bring up a cluster, fill it with life and photograph it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        redis_server = RedisServer()
        redis_server.start()
        browser = open_browser(Path(folder) / "profile")
        try:
            with cluster(redis_server, Path(folder)) as pods:
                photograph(pods, redis_server, browser)
        finally:
            browser.quit()
            redis_server.stop()


def photograph(pods: list[Pod], redis_server: RedisServer, browser: Browser) -> None:
    """Take every picture."""
    url = f"http://{HOST}:{pods[0].port}"
    with business(redis_server, pods) as clients:
        agent = "User-Agent: LaneTerminal/4.2 (Linux; armv7l)\r\n"
        next(each for each in clients if "STORE001-LANE03" in each.sockets).connect("STORE001-LANE03", headers=agent)
        time.sleep(SCENE_SECONDS)
        wait_until("missing lanes", lambda: len(asyncio.run(missing(redis_server))) == 3)
        for name, path in PAGES.items():
            browser.get(url + path)
            capture(browser, name)
        use_test_client(browser, url)
        capture(browser, "test-client")


if __name__ == "__main__":
    main()
