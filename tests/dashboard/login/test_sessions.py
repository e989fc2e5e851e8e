"""A login on one pod is one on all, and so is its end."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import StartPod
from tests.support.operators import NAME, PASSWORD, Operator
from tests.support.pods import PRODUCTION, Pod
from tests.support.redis_server import RedisServer

PAGES = ("/admin", "/admin/connections", "/admin/clients/STORE001-LANE01", "/admin/auth/user/")


@pytest.fixture
def operator(two_pods: list[Pod]) -> Operator:
    operator = Operator()
    operator.log_in(two_pods[0].port)
    return operator


@pytest.mark.parametrize("page", PAGES)
def test_a_login_on_one_pod_opens_every_page_of_the_others(two_pods: list[Pod], operator: Operator, page: str):
    assert [operator.ask(pod.port, page).status for pod in [*two_pods, *two_pods]] == [200] * 4


def test_a_copy_of_the_cookie_opens_nothing_after_the_logout(two_pods: list[Pod], operator: Operator):
    copy = Operator(operator.cookies)
    assert "on every pod" in operator.log_out(two_pods[1].port).text
    for pod in two_pods:
        assert copy.ask(pod.port, "/admin/connections").status == 401
        assert copy.ask(pod.port, "/admin/live").status == 401
        assert copy.ask(pod.port, "/admin").location == "/admin/login/?next=/admin"
        assert copy.ask(pod.port, "/admin/auth/user/").location.startswith("/admin/login/")


def test_a_logout_ends_that_login_alone(two_pods: list[Pod], operator: Operator):
    other = Operator()
    other.log_in(two_pods[1].port)
    operator.log_out(two_pods[0].port)
    assert [other.ask(pod.port, "/admin").status for pod in two_pods] == [200, 200]


def test_cookies_are_for_tls_and_for_half_a_day(two_pods: list[Pod]):
    operator = Operator()
    page = operator.ask(two_pods[0].port, "/admin/login/")
    assert "Secure" in page.headers["Set-Cookie"]
    answer = operator.try_password(two_pods[0].port, PASSWORD)
    (session,) = [line for line in answer.headers.get_all("Set-Cookie") if line.startswith("sessionid=")]
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Max-Age=43200"} <= set(session.split("; "))


def test_a_pod_that_does_not_know_the_user_leaves_the_cookie_to_the_others(
    start_pod: StartPod,
    two_pods: list[Pod],
    operator: Operator,
    redis_server: RedisServer,
    databases: list[str],
    tmp_path: Path,
):
    lonely = tmp_path / "db.sqlite3"
    shutil.copy(databases[0].removeprefix("sqlite:///"), lonely)
    with contextlib.closing(sqlite3.connect(lonely)) as connection, connection:
        connection.execute("UPDATE auth_user SET username = 'somebody-else'")
    stranger = start_pod(
        **PRODUCTION, DATABASE_URL=f"sqlite:///{lonely}", REDIS_URL=redis_server.url, REDIS_CHANNEL="login-tests"
    )
    assert operator.ask(stranger.port, "/admin").location.startswith("/admin/login/")
    assert operator.ask(two_pods[0].port, "/admin").status == 200


def test_a_number_of_a_row_says_nothing(two_pods: list[Pod], databases: list[str]):
    """On the second pod the number of the first pod's operator belongs to somebody else."""
    assert [first_user(url) for url in databases] == [NAME, "other-0"]
    operator = Operator()
    operator.log_in(two_pods[0].port)
    assert f"<strong>{NAME}</strong>" in operator.ask(two_pods[1].port, "/admin").text


def first_user(database: str) -> str:
    with contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
        (name,) = connection.execute("SELECT username FROM auth_user WHERE id = 1").fetchone()
    return str(name)


def test_logins_of_before_and_forged_ones_are_nobodys(two_pods: list[Pod]):
    for cookie in ("forged:1abc:signature", "", "x" * 3000):
        assert Operator({"sessionid": cookie}).ask(two_pods[0].port, "/admin").status == 302
