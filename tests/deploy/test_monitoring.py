"""Alert rules, dashboard and documentation speak of metrics that a real pod shows."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, load, run, tool
from tests.support.pods import ROOT, Pod

HERE = Path(__file__).parent
RULES = DEPLOY / "prometheus" / "alerts.yml"
PACKAGE = "the package prometheus"
# The second is of days, in long steps.
RULE_TESTS = ("alerts_test.yml", "alerts_week_test.yml")
NAME = re.compile(r"\b(?:sse|process|python)_[a-z_]+\b")
PARTS = ("_bucket", "_count", "_sum")
# What the client library adds to a counter or a histogram beside its values.
ADDED = ("_created",)


@pytest.fixture(scope="module")
def documented() -> set[str]:
    """The metrics of the table in the reference, which `make docs` writes."""
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    return set(re.findall(r"(?m)^\| `((?:sse|process|python)_[a-z_]+)", text))


def alerts() -> Iterator[dict[str, Any]]:
    for group in load("prometheus/alerts.yml")["groups"]:
        yield from group["rules"]


def expressions() -> Iterator[str]:
    """Every query of the alerts and of the dashboard."""
    for alert in alerts():
        yield alert["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    return board


def base(name: str) -> str:
    """Return a metric's name without what marks a part of a histogram."""
    return next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)


def test_promtool_accepts_the_rules():
    run(tool("promtool", PACKAGE), "check", "rules", str(RULES))


def test_promtool_accepts_the_configuration():
    run(tool("promtool", PACKAGE), "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))


def test_every_alert_fires_when_it_should_and_not_before(tmp_path: Path):
    promtool = tool("promtool", PACKAGE)
    shutil.copy(RULES, tmp_path)
    for name in RULE_TESTS:
        shutil.copy(HERE / name, tmp_path)
    run(promtool, "test", "rules", *RULE_TESTS, cwd=tmp_path)
    tests = "".join((HERE / name).read_text() for name in RULE_TESTS)
    assert [alert["alert"] for alert in alerts() if alert["alert"] not in tests] == []


def test_promtool_accepts_what_a_pod_shows(pod: Pod):
    run(tool("promtool", PACKAGE), "check", "metrics", stdin=pod.fetch("/metrics").body.decode())


def test_kubernetes_gets_the_same_rules():
    manifest = load("k8s/components/monitoring/prometheusrule.yaml")
    assert manifest["spec"] == load("prometheus/alerts.yml")


def test_every_metric_in_use_is_documented(documented: set[str]):
    used = {base(name) for expression in expressions() for name in NAME.findall(expression)}
    assert len(used) > 20
    assert used - documented == set()


def test_every_metric_of_a_pod_is_documented_and_the_other_way_round(pod: Pod, documented: set[str]):
    text = pod.fetch("/metrics").body.decode()
    # A counter with labels that never counted has a type and no line.
    shown = set(re.findall(r"(?m)^# TYPE ((?:sse|process|python)_[a-z_]+) ", text))
    shown = {name for name in shown if not name.endswith(ADDED)}
    assert shown - documented == set(), "shown and not documented"
    assert documented - shown == set(), "documented and not shown"


def test_every_alert_leads_to_its_part_of_the_runbook():
    parts = {}
    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        # Only a whole address can be clicked; installers say once where it is.
        assert page == "https://docs.example.com/sse-redis-service/runbook.md"
        parts[anchor] = alert["alert"]
        assert alert["labels"]["severity"] in ("critical", "warning")
    headed = re.findall(r"(?m)^## ([\w -]+)\n\n\*(SSE\w+)\.\*", (ROOT / "docs/operate/runbook.md").read_text())
    assert {heading.lower().replace(" ", "-"): alert for heading, alert in headed} == parts


def test_table_of_alerts_is_that_of_the_rules():
    text = (ROOT / "docs/operate/alerts.md").read_text()
    table = re.findall(r"(?m)^\| \[(SSE\w+)\]\(runbook\.md#([\w-]+)\) \| (\w+) \|", text)
    rules = [
        (alert["alert"], alert["annotations"]["runbook_url"].partition("#")[2], alert["labels"]["severity"])
        for alert in alerts()
    ]
    assert table == rules


def test_the_dashboard_holds_together():
    board = dashboard()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    variables = {variable["name"] for variable in board["templating"]["list"]}
    for panel in board["panels"]:
        position = panel["gridPos"]
        assert position["x"] + position["w"] <= 24
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
    used = {name for text in expressions() for name in re.findall(r"\$([a-z]\w*)", text)}
    assert used <= variables


def test_no_two_panels_overlap():
    cells = [
        (x, y)
        for panel in dashboard()["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))


def test_promtool_understands_every_query(tmp_path: Path):
    # promtool of Debian has no check for a bare query, and a recording rule is one.
    rules = [
        {"record": f"query:{number}", "expr": text.replace("$__rate_interval", "1m").replace("$", "")}
        for number, text in enumerate(expressions())
    ]
    path = tmp_path / "queries.json"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    run(tool("promtool", PACKAGE), "check", "rules", str(path))
