"""axe-core, which finds what keeps people from using a page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from tests.dashboard.browsers.browser import Browser

SERIOUS = ("serious", "critical")
# Without preload, which would load the sheets anew and put copies into the page: the policy
# forbids that, and no rule that runs by default reads them.
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ["violations"], preload: false }).then((results) => done(results.violations));
"""


def serious_violations(browser: Browser) -> list[str]:
    """Return what axe-core finds serious or worse on the page, in words."""
    browser.execute_script((files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    browser.set_script_timeout(30)
    violations: list[dict[str, Any]] = browser.execute_async_script(RUN)
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
