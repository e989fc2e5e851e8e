"""What Django itself refuses, and what fails in a view: answered in JSON, and logged once."""

from __future__ import annotations

import pytest

from tests.conftest import StartPod
from tests.support.http import Answer
from tests.support.pods import FAILING, Pod
from tests.support.redis_server import RedisServer

MANY_FIELDS = "&".join(f"a={number}" for number in range(1500))
TRACEBACK = "Traceback (most recent call last)"


@pytest.fixture
def failing_pod(start_pod: StartPod, redis_server: RedisServer) -> Pod:
    """A pod with a path whose view raises."""
    pod = start_pod("daphne", application="tests.support.failing:application", REDIS_URL=redis_server.url)
    pod.may_log_tracebacks = True
    return pod


def assert_error(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert list(answer.json()) == ["success", "error", "timestamp"]
    assert answer.json()["success"] is False
    assert answer.json()["error"].endswith(".")


def test_too_many_fields_are_400_in_json(failing_pod: Pod):
    assert_error(failing_pod.fetch(f"/admin?{MANY_FIELDS}"), 400)
    # Django logs what it takes for an attack, and that is all.
    assert failing_pod.log.count(" [django.") == 1
    assert "AttributeError" not in failing_pod.log


def test_a_view_that_raises_is_500_in_json_with_one_traceback(failing_pod: Pod):
    answer = failing_pod.fetch(FAILING)
    assert_error(answer, 500)
    assert b"this view raises" not in answer.body
    failing_pod.wait_log("RuntimeError: this view raises")
    assert failing_pod.log.count(" [django.") == 1
    assert failing_pod.log.count(TRACEBACK) == 1
    assert failing_pod.status("/health") == 200
