"""Operators whom a front door has signed in, on a real pod in production."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from tests.conftest import StartPod
from tests.support.http import HOST, PATIENCE_SECONDS
from tests.support.leaks.watch import watch
from tests.support.operators import NAME, Operator, make_databases
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import RedisServer, free_port

PROXY, STRANGER = "127.0.0.7", "127.0.0.8"
HEADER = "X-Forwarded-User"
TOKEN = "a-token-for-scripts-in-tests"
CLIENT = "STORE001-LANE01"


MAKE_USERS = """
from django.contrib.auth.models import User
User.objects.create_user("customer")
User.objects.create_user("leaver", is_staff=True, is_active=False)
User.objects.create_user("auditor", is_staff=True)
"""


class Told(NamedTuple):
    status: int
    location: str
    text: str


def ask(
    port: int, target: str, *headers: tuple[str, str], source: str = PROXY, method: str = "GET", body: bytes = b""
) -> Told:
    """Ask as a front door does, with these headers, of which there may be two of one name."""
    connection = HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS, source_address=(source, 0))
    watch.secrets.add_request(dict(headers))
    try:
        connection.putrequest(method, target)
        for name, value in (("Accept", "text/html"), ("Content-Length", str(len(body))), *headers):
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read().decode()
        watch.search_head(str(response.headers).encode())
        watch.search_body(text.encode())
        return Told(response.status, response.headers.get("Location", ""), text)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the superuser of the tests, and others who never had a password here."""
    (url,) = make_databases(tmp_path_factory.mktemp("told"), 1)
    made = run_manage("shell", "-c", MAKE_USERS, env=environment(DATABASE_URL=url))
    assert made.returncode == 0, made.stderr
    return url


@pytest.fixture(scope="module")
def pod(start_shared_pod: StartPod, redis_server: RedisServer, database: str) -> Pod:
    return start_shared_pod(
        **PRODUCTION,
        DATABASE_URL=database,
        REDIS_URL=redis_server.url,
        REDIS_CHANNEL="told",
        ADMIN_TOKEN=TOKEN,
        TRUSTED_PROXIES=PROXY,
        TRUSTED_USER_HEADER=HEADER,
    )


@pytest.mark.parametrize("page", ["/admin", "/admin/stores", "/admin/connections", "/api/v1/pods", "/admin/auth/user/"])
@pytest.mark.parametrize("header", [HEADER, HEADER.lower()])
def test_whom_the_front_door_names_is_signed_in(pod: Pod, page: str, header: str):
    assert ask(pod.port, page, (header, NAME)).status == 200


def test_his_page_names_him_and_has_no_way_out(pod: Pod):
    """Who is signed in elsewhere cannot log out here."""
    page = ask(pod.port, "/admin", (HEADER, NAME)).text
    assert f"<strong>{NAME}</strong>" in page
    assert "Log out" not in page


@pytest.mark.parametrize("page", ["/admin", "/admin/stores", f"/admin/clients/{CLIENT}", "/admin/connections"])
@pytest.mark.parametrize(
    "name", ["customer", "leaver", "mallory", NAME.upper(), f"{NAME},{NAME}", "' OR 1=1 --", "<script>"]
)
def test_who_is_no_operator_here_is_told_so(pod: Pod, page: str, name: str):
    """In a sentence, and not by the login form, which would be of no use to him."""
    told = ask(pod.port, page, (HEADER, name))
    assert (told.status, told.location) == (403, "")
    assert "no active staff user has this name here" in told.text
    assert "<script>" not in told.text or page == "/admin/connections"


def test_who_is_no_operator_reads_a_problem_of_the_api(pod: Pod):
    told = ask(pod.port, "/api/v1/pods", (HEADER, "mallory"))
    said = json.loads(told.text)
    assert (told.status, said["type"]) == (403, "/api/v1/problems#insufficient-scope")
    assert "'mallory'" in said["detail"]
    assert ask(pod.port, "/admin/live", (HEADER, "mallory")).status == 403


def test_he_has_his_role(pod: Pod):
    assert ask(pod.port, f"/admin/clients/{CLIENT}", (HEADER, "auditor")).status == 200
    told = ask(pod.port, f"/admin/clients/{CLIENT}/disconnect", (HEADER, "auditor"))
    assert told.status == 403
    assert "change nothing" in told.text
    headers = (HEADER, "auditor"), ("Sec-Fetch-Site", "same-origin")
    refused = ask(pod.port, f"/api/v1/clients/{CLIENT}", *headers, method="DELETE")
    assert (refused.status, json.loads(refused.text)["type"]) == (403, "/api/v1/problems#insufficient-scope")


def test_two_names_are_nobodys(pod: Pod):
    """A header that a device sent, and to which a careless front door has added its own."""
    assert ask(pod.port, "/admin", (HEADER, NAME), (HEADER, NAME)).status == 403


@pytest.mark.parametrize("value", ["", " "])
def test_nobody_signed_in_at_the_front_door_is_a_stranger(pod: Pod, value: str):
    assert ask(pod.port, "/admin", (HEADER, value)).location == "/admin/login/?next=/admin"


@pytest.mark.parametrize("more", [(), (("X-Forwarded-For", PROXY),), (("X-Forwarded-For", f"{PROXY}, {PROXY}"),)])
def test_no_one_else_names_an_operator(pod: Pod, more: tuple[tuple[str, str], ...]):
    for source in (STRANGER, HOST):
        assert ask(pod.port, "/admin", (HEADER, NAME), *more, source=source).status == 302
        assert ask(pod.port, "/admin/connections", (HEADER, NAME), *more, source=source).status == 401
        assert ask(pod.port, "/api/v1/pods", (HEADER, NAME), *more, source=source).status == 401


@pytest.mark.parametrize("header", ["X_Forwarded_User", "Remote-User", "X-Forwarded-User-Name", "X-Forwarded-Users"])
def test_no_other_header_names_an_operator(pod: Pod, header: str):
    assert ask(pod.port, "/admin", (header, NAME)).status == 302


def test_the_token_wins_over_the_name(pod: Pod):
    headers = (HEADER, "mallory"), ("Authorization", f"Bearer {TOKEN}")
    assert ask(pod.port, "/api/v1/pods", *headers).status == 200


def test_a_login_goes_on_where_the_front_door_names_nobody(pod: Pod):
    operator = Operator()
    operator.log_in(pod.port)
    cookie = ("Cookie", f"sessionid={operator.cookies['sessionid']}")
    assert ask(pod.port, "/admin", cookie).status == 200
    assert ask(pod.port, "/admin", cookie, (HEADER, "mallory")).status == 403, "the front door knows better"


def test_what_he_does_is_written_down_and_other_sites_do_nothing_in_his_name(pod: Pod):
    body = b'{"lanes":["A-1"]}'
    headers = (HEADER, NAME), ("Content-Type", "application/json"), ("X-Forwarded-For", "203.0.113.7")
    target = "/api/v1/stores/A/expected"
    evil = ask(pod.port, target, *headers, ("Sec-Fetch-Site", "cross-site"), method="PUT", body=body)
    assert (evil.status, json.loads(evil.text)["type"]) == (403, "/api/v1/problems#other-site")
    own = ask(pod.port, target, *headers, ("Sec-Fetch-Site", "same-origin"), method="PUT", body=body)
    assert own.status == 200, own.text
    pod.wait_log(f"[AUDIT] {NAME} said which lanes the store A has: 1, A-1 address=203.0.113.7")


def test_with_a_port_for_operators_devices_front_doors_name_nobody(
    start_pod: StartPod, redis_server: RedisServer, database: str
):
    admin_port = free_port()
    pod = start_pod(
        **{**PRODUCTION, "PUBLISH_AUTH": "required", "ADMIN_TOKEN": TOKEN},
        DATABASE_URL=database,
        REDIS_URL=redis_server.url,
        ADMIN_PORT=admin_port,
        TRUSTED_PROXIES=PROXY,
        TRUSTED_USER_HEADER=HEADER,
    )
    headers = (HEADER, NAME), ("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin")
    body = json.dumps({"clientName": CLIENT, "action": "alert"}).encode()
    assert ask(admin_port, "/admin", (HEADER, NAME)).status == 200
    assert ask(admin_port, "/api/v1/events", *headers, method="POST", body=body).status == 202
    assert ask(pod.port, "/api/v1/events", *headers, method="POST", body=body).status == 401
