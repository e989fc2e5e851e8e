"""What holds for every path: methods, unknown paths, hosts; and the metrics."""

from __future__ import annotations

import re

import pytest

from tests.e2e.http.expected import assert_error
from tests.support.http import exchange, parse_answer
from tests.support.pods import Pod


@pytest.mark.parametrize(
    "target",
    ["/nowhere", "/register/", "/health/", "/healthz", "/admin/client/", "/favicon.ico", "/%0d%0aX-Injected:%20y"],
)
def test_unknown_path_is_404_in_json(pod: Pod, target: str):
    answer = pod.fetch(target)
    if target == "/favicon.ico" and answer.status != 404:
        return
    assert_error(answer, 404)
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/register"),
        ("PUT", "/register"),
        ("DELETE", "/register"),
        ("POST", "/health"),
        ("POST", "/health/live"),
        ("DELETE", "/health/ready"),
        ("POST", "/admin/connections"),
        ("POST", "/admin/client/NOBODY"),
        ("POST", "/metrics"),
    ],
)
def test_wrong_method_is_405_and_names_the_right_ones(pod: Pod, method: str, target: str):
    answer = pod.fetch(target, method=method)
    assert_error(answer, 405, method)
    assert answer.headers["allow"]
    assert method not in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("target", ["/health", "/health/live", "/health/ready", "/admin/connections", "/metrics"])
def test_head_is_get_without_a_body(pod: Pod, target: str):
    answer = pod.fetch(target, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_metrics_are_prometheus_text(pod: Pod):
    answer = pod.fetch("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in answer.body.decode().splitlines():
        assert re.fullmatch(
            r'# (HELP|TYPE) \S+ .+|[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? \S+', line, re.IGNORECASE
        )


@pytest.mark.parametrize("host", ["", "x" * 300, "evil.example", "a b", "<script>", "[::1"])
def test_host_header_of_any_kind_is_answered(pod: Pod, host: str):
    request = f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    answer = parse_answer(exchange(pod.port, request))
    assert answer.status in (200, 400)
    answer.json()
