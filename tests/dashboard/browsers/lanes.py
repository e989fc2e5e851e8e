"""The test client's columns as a person works with them."""

from __future__ import annotations

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.dashboard.browsers.browser import Browser
from tests.support.waiting import wait_until


class LaneOnScreen:
    """One column of the page."""

    def __init__(self, browser: Browser, number: int = 0) -> None:
        self.browser = browser
        self.root = browser.one(f".lane:nth-child({number + 1})")

    def part(self, name: str) -> WebElement:
        return self.root.find_element(By.CSS_SELECTOR, f"[data-part='{name}']")

    def rename(self, name: str) -> None:
        self.part("name").clear()
        self.part("name").send_keys(name, "\t")

    def connect(self) -> None:
        self.part("connect").click()
        self.wait_state("Connected to")

    def wait_state(self, text: str) -> None:
        wait_until(f"the state {text!r}", lambda: self.part("state").text.startswith(text), 20)

    def items(self) -> list[str]:
        """Read what is listed and not filtered out, newest first."""
        script = "return [...arguments[0].children].filter((item) => !item.hidden).map((item) => item.textContent)"
        items: list[str] = self.browser.execute_script(script, self.part("events"))
        return items

    def wait_item(self, *words: str) -> str:
        def found() -> str:
            return next((item for item in self.items() if all(word in item for word in words)), "")

        return str(wait_until(f"{words} in the list", found, 20))
