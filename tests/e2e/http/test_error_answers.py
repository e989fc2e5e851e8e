"""What Django itself refuses, and what fails in a view: answered in JSON, and logged once."""

from __future__ import annotations

import pytest

from tests.conftest import StartPod
from tests.e2e.http import expected
from tests.support.applications.serving import failing_pod
from tests.support.http import Answer, exchange, parse_answer
from tests.support.pods import FAILING, OUTSIDE_DJANGO, TRACEBACK, Pod
from tests.support.redis_server import RedisServer

MANY_FIELDS = "&".join(f"a={number}" for number in range(1500))


@pytest.fixture
def pod(start_pod: StartPod, redis_server: RedisServer) -> Pod:
    """A pod with a path whose view raises."""
    return failing_pod(start_pod, redis_server)


@pytest.fixture(scope="module")
def shared_failing_pod(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    """The same for tests that do not count what is logged."""
    return failing_pod(start_shared_pod, redis_server)


def assert_error(answer: Answer, status: int) -> None:
    error = expected.assert_error(answer, status)
    assert list(error) == ["success", "error", "timestamp"]
    assert error["success"] is False


def test_too_many_fields_are_400_in_json(pod: Pod):
    assert_error(pod.fetch(f"/admin?{MANY_FIELDS}"), 400)
    # Django logs what it takes for an attack, and that is all.
    pod.wait_log(" [django.")
    assert pod.log.count(" [django.") == 1
    assert "AttributeError" not in pod.log


def test_a_view_that_raises_is_500_in_json_with_one_traceback(pod: Pod):
    answer = pod.fetch(FAILING)
    assert_error(answer, 500)
    assert b"this view raises" not in answer.body
    pod.wait_log("RuntimeError: this view raises")
    assert pod.log.count(" [django.") == 1
    assert pod.log.count(TRACEBACK) == 1
    assert pod.status("/health") == 200


# What Daphne refuses by itself, and a page would say under the plain command.
DAPHNES_OWN = {
    "a path beyond ASCII": b"GET /caf\xa9 HTTP/1.1\r\nHost: x\r\n",
    "a header's name": b"GET / HTTP/1.1\r\nHost: x\r\nX(odd): 1\r\n",
    "a header's bytes": b"GET / HTTP/1.1\r\nHost: x\r\nX-Odd: \x85\r\n",
}


@pytest.mark.parametrize("head", DAPHNES_OWN.values(), ids=DAPHNES_OWN.keys())
def test_what_plain_daphne_answers_by_itself_is_json(shared_failing_pod: Pod, head: bytes):
    answer = parse_answer(exchange(shared_failing_pod.port, head + b"Connection: close\r\n\r\n"))
    assert_error(answer, 400)


@pytest.mark.parametrize("start", ["daphne", "uvicorn"])
def test_what_fails_outside_of_django_is_500_in_json(start: str, start_pod: StartPod, redis_server: RedisServer):
    pod = failing_pod(start_pod, redis_server, start)
    assert_error(pod.fetch(OUTSIDE_DJANGO), 500)
    pod.wait_log("RuntimeError: this fails before Django")
    assert pod.log.count(TRACEBACK) == 1
    assert pod.status("/health") == 200


LINKS = [b'href="/admin"', b'href="/"', b'href="/health"', b'href="/metrics"']


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/docs", 404, "/docs"),
        ("/events", 404, "/events/NAME"),
        ("/healthz", 404, "/health/live"),
        ("/dashboard", 404, "/admin"),
        ("/<b>", 404, "/&lt;b&gt;"),
        (f"/admin?{MANY_FIELDS}", 400, "cannot be understood"),
        (FAILING, 500, "log"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_browser_reads_a_page_with_links(shared_failing_pod: Pod, target: str, status: int, words: str):
    page = shared_failing_pod.fetch(target, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words.encode() in page.body
    for link in LINKS:
        assert link in page.body
    assert shared_failing_pod.fetch(target, headers={"Accept": "*/*"}).headers["content-type"] == "application/json"


@pytest.mark.parametrize("target", ["/events/-bad", "/register", "/admin/client/NOBODY"])
def test_a_path_for_programs_is_json_for_a_browser_too(shared_failing_pod: Pod, target: str):
    assert shared_failing_pod.fetch(target, headers={"Accept": "text/html"}).json()["error"]
