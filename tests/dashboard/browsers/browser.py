"""A real Chromium, headless, with a profile of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

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
