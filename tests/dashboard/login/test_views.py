"""The login form under attack, and without Redis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dashboard.login.attempts import PER_PAIR
from tests.conftest import StartPod
from tests.support.http import HOST
from tests.support.operators import NAME, PASSWORD, Operator
from tests.support.pods import PRODUCTION, Pod
from tests.support.redis_server import RedisServer

AT_ONCE = 12


@pytest.fixture
def pods(start_pod: StartPod, redis_server: RedisServer, databases: list[str], client_name: str) -> list[Pod]:
    """Two pods whose counts no other test shares."""
    variables: dict[str, Any] = {**PRODUCTION, "REDIS_URL": redis_server.url, "REDIS_CHANNEL": f"login-{client_name}"}
    return [start_pod(**variables, DATABASE_URL=url) for url in databases]


def test_wrong_passwords_are_counted_over_all_pods_and_refused(pods: list[Pod]):
    operator = Operator()
    for number in range(PER_PAIR):
        page = operator.try_password(pods[number % 2].port, f"wrong {number}")
        assert page.status == 200
        assert "Please enter the correct username and password" in page.text
    for pod in pods:
        page = operator.try_password(pod.port, PASSWORD)
        assert page.status == 429
        assert 0 < int(page.headers["Retry-After"]) <= 300
        assert "Too many passwords were tried" in page.text
    assert operator.try_password(pods[0].port, PASSWORD, source="127.0.0.9").status == 302, "from another address"
    pods[0].wait_log(f"[SERVER] Login failed: a wrong name or password address={HOST}")
    assert "wrong 0" not in pods[0].log


def test_a_login_forgives_what_led_to_it(pods: list[Pod]):
    for _ in range(2):
        operator = Operator()
        for number in range(PER_PAIR - 1):
            assert operator.try_password(pods[0].port, f"wrong {number}").status == 200
        operator.log_in(pods[1].port)


def test_more_at_once_than_can_be_checked_are_sent_away(pods: list[Pod]):
    """Each account of its own, from an address of its own: no count of attempts is reached."""

    stranger = Operator()
    token = stranger.token(pods[0].port)

    def guess(number: int) -> int:
        return stranger.send_password(pods[0].port, token, "wrong", f"user-{number}", f"127.0.1.{number}").status

    with ThreadPoolExecutor(AT_ONCE) as guessers:
        statuses = list(guessers.map(guess, range(1, AT_ONCE + 1)))
    assert set(statuses) == {200, 429}


@pytest.mark.parametrize("form", [{"username": "", "password": "x"}, {"username": "x", "password": ""}, {}])
def test_an_empty_form_comes_back_and_counts_for_nothing(pods: list[Pod], form: dict[str, str]):
    operator = Operator()
    for _ in range(PER_PAIR + 1):
        page = operator.ask(
            pods[0].port, "/admin/login/", {"csrfmiddlewaretoken": operator.token(pods[0].port), **form}
        )
        assert page.status == 200
        assert "This field is required" in page.text
    operator.log_in(pods[0].port)


@pytest.mark.parametrize("wanted", ["//elsewhere.example/", "https://elsewhere.example/", "javascript:x", ""])
def test_a_login_leads_nowhere_else(two_pods: list[Pod], wanted: str):
    operator = Operator()
    port = two_pods[0].port
    form = {"csrfmiddlewaretoken": operator.token(port), "username": NAME, "password": PASSWORD, "next": wanted}
    assert operator.ask(port, "/admin/login/", form).location == "/admin"


def test_without_redis_operators_stay_logged_in_and_log_in_and_out(
    start_pod: StartPod, mortal_redis: RedisServer, databases: list[str]
):
    """The dashboard is wanted most when Redis is away."""
    mortal_redis.start()
    pod = start_pod(**PRODUCTION, REDIS_URL=mortal_redis.url, DATABASE_URL=databases[0])
    operator = Operator()
    operator.log_in(pod.port)
    mortal_redis.kill()
    assert operator.ask(pod.port, "/admin").status == 200
    copy = Operator(operator.cookies)
    assert "could not be told" in operator.log_out(pod.port).text
    assert copy.ask(pod.port, "/admin").status == 302, "this pod knows it all the same"
    operator.log_in(pod.port)


def test_an_expired_form_says_why_to_somebody_who_is_logged_in(two_pods: list[Pod]):
    operator = Operator()
    operator.log_in(two_pods[0].port)
    page = operator.ask(two_pods[0].port, "/admin/clients/LANE1/send", {"csrfmiddlewaretoken": "of-yesterday"})
    assert page.status == 403
    assert "This form has expired" in page.text
    assert "SECURE_COOKIES=off" in page.text, "tests speak plain HTTP"
