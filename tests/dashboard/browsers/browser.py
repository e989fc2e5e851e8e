"""A real Chromium, headless, with a profile of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.waiting import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
MISSING = "" if CHROMIUM and CHROMEDRIVER else "needs Debian's packages chromium and chromium-driver"

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # One process for all pages: each navigation would start another, and keep a spare one.
    "--disable-site-isolation-trials",
    "--renderer-process-limit=1",
    "--disable-features=SpareRendererForSitePerProcess,IsolateOrigins",
)
WIDE = (1440, 900)
PHONE = (390, 844)


class Browser(Chrome):
    """Chromium through chromedriver, with a few words for what these tests do."""

    def look(self, *, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
        """Choose the screen, and light or dark as the operating system would."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, motion]})

    def reload(self) -> None:
        """Load the page again; return when the new document is complete, with all that its modules put there."""
        self.execute_script("window.isFromBefore = true")
        self.refresh()
        wait_until("the new document", lambda: self.complete("!window.isFromBefore"))

    def complete(self, condition: str = "true") -> bool:
        """Say whether a condition is true of a document that is loaded to its end."""
        script = f"return document.readyState === 'complete' && {condition}"
        # A navigation interrupts a script.
        with contextlib.suppress(WebDriverException):
            return bool(self.execute_script(script))
        return False

    def wait_url(self, part: str) -> None:
        """Return when the page whose URL holds this part is complete."""
        wait_until(f"a page at …{part}", lambda: part in self.current_url and self.complete())

    def wait_texts(self, selector: str) -> list[str]:
        """Return what many elements say, as soon as there are some and their page is complete."""
        wait_until(selector, lambda: self.texts(selector) and self.complete())
        return self.texts(selector)

    def wait_live(self) -> None:
        """Return when the page follows its pod."""
        wait_until("a live page", lambda: self.texts("[data-live-state]") == ["Live"])

    def one(self, selector: str) -> WebElement:
        """Return the first element that a selector finds, as soon as there is one."""
        return self._first(By.CSS_SELECTOR, selector)

    def press(self, selector: str) -> None:
        """Click the first element that a selector finds, whatever the page puts in its place meanwhile."""
        wait_until(selector, lambda: self._pressed(selector))

    def _pressed(self, selector: str) -> bool:
        with contextlib.suppress(StaleElementReferenceException):
            self.one(selector).click()
            return True
        return False

    def button(self, words: str) -> WebElement:
        """Return the button with these words on it, as soon as there is one."""
        return self._first(By.XPATH, f"//button[contains(., '{words}')]")

    def _first(self, by: str, selector: str) -> WebElement:
        found: list[WebElement] = wait_until(selector, lambda: self.find_elements(by, selector))
        return found[0]

    def texts(self, selector: str) -> list[str]:
        """Read many elements at one moment, whatever the page does meanwhile."""
        script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.textContent.trim())"
        found: list[str] = self.execute_script(script, selector)
        return found

    def text(self, selector: str) -> str:
        """Read the first element that a selector finds now; an empty string where there is none."""
        return next(iter(self.texts(selector)), "")

    def console(self) -> list[str]:
        """Return what the console said since the last call that is worse than information."""
        entries: list[dict[str, Any]] = self.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]


def open_browser(profile: Path, *, javascript: bool = True) -> Browser:
    """Start a Chromium that nobody has used before."""
    assert CHROMIUM, MISSING
    assert CHROMEDRIVER, MISSING
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDE[0]},{WIDE[1]}"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root, as containers often do.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not javascript:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    browser = Browser(options=options, service=Service(executable_path=CHROMEDRIVER))
    browser.set_page_load_timeout(30)
    return browser


@contextlib.contextmanager
def browsing(profile: Path, *, javascript: bool = True) -> Iterator[Browser]:
    """Give a Chromium that nobody has used before, for the length of a block; skip the test where there is none."""
    if MISSING:
        pytest.skip(MISSING)
    browser = open_browser(profile, javascript=javascript)
    try:
        yield browser
    finally:
        browser.quit()
