"""Operators who may look, and those who may act too, on a real pod in production."""

from __future__ import annotations

import json
import re

import pytest
from django.apps import apps as installed
from django.contrib.auth.models import Group, User
from django.db.migrations.state import StateApps

from dashboard.login.roles import ACT, make_group, may_act, role_of
from tests.conftest import StartPod
from tests.support.http import HOST, close_all, open_stream
from tests.support.operators import NAME, PASSWORD, Operator, make_databases
from tests.support.pods import PRODUCTION, Pod
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

READER, ACTOR = "reader", "actor"
CLIENT = "STORE001-LANE01"
ACTIONS = (
    f"/admin/clients/{CLIENT}/disconnect",
    f"/admin/clients/{CLIENT}/send",
    f"/admin/clients/{CLIENT}/retire",
    "/admin/stores/STORE001/expected",
)
BUTTONS = ("Disconnect…", "Prepare…", "Retire…", "Say which are expected…")


def add_user(port: int, superuser: Operator, name: str, *, acts: bool) -> None:
    """Fill in the two forms that make a staff user, as a superuser does."""
    target = "/admin/auth/user/add/"
    token = superuser.token(port, target)
    form = {"username": name, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    made = superuser.ask(port, target, {"csrfmiddlewaretoken": token, **form})
    assert made.status == 302, made.text
    page = superuser.ask(port, made.location)
    assert "Beside “Staff status”, act may act" in page.text
    rights = {"username": name, "is_active": "on", "is_staff": "on"} | ({"groups": "1"} if acts else {})
    saved = superuser.ask(port, made.location, {"csrfmiddlewaretoken": superuser.token(port, made.location), **rights})
    assert saved.status == 302, saved.text


@pytest.fixture(scope="module")
def pod(start_shared_pod: StartPod, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Pod:
    """A pod with a superuser, who has made one user of each role."""
    (database,) = make_databases(tmp_path_factory.mktemp("roles"), 1)
    pod = start_shared_pod(
        **PRODUCTION, DATABASE_URL=database, REDIS_URL=redis_server.url, REDIS_CHANNEL="roles", POD_NAME="pod-roles"
    )
    superuser = Operator()
    superuser.log_in(pod.port)
    add_user(pod.port, superuser, READER, acts=False)
    add_user(pod.port, superuser, ACTOR, acts=True)
    return pod


def signed_in(pod: Pod, name: str) -> Operator:
    operator = Operator()
    page = operator.try_password(pod.port, PASSWORD, name)
    assert page.status == 302, page.text
    return operator


@pytest.fixture(scope="module")
def reader(pod: Pod) -> Operator:
    return signed_in(pod, READER)


@pytest.fixture(scope="module")
def actor(pod: Pod) -> Operator:
    return signed_in(pod, ACTOR)


def test_a_user_who_is_deleted_is_written_down(pod: Pod):
    superuser = Operator()
    superuser.log_in(pod.port)
    add_user(pod.port, superuser, "leaver", acts=False)
    listed = superuser.ask(pod.port, "/admin/auth/user/?q=leaver").text
    found = re.search(r"/admin/auth/user/(\d+)/change/", listed)
    assert found
    target = f"/admin/auth/user/{found[1]}/delete/"
    form = {"csrfmiddlewaretoken": superuser.token(pod.port, target), "post": "yes"}
    assert superuser.ask(pod.port, target, form).status == 302
    pod.wait_log(f"[AUDIT] {NAME} deleted the user leaver address=")


def test_what_a_superuser_does_to_users_is_written_down(pod: Pod):
    pod.wait_log(f"[AUDIT] {NAME} changed the user {READER}, who may read address=")
    pod.wait_log(f"[AUDIT] {NAME} added the user {ACTOR}, who may nothing address=")
    pod.wait_log(f"[AUDIT] {NAME} changed the user {ACTOR}, who may read and act address=")


@pytest.mark.parametrize(
    "page", ["/admin", "/admin/pod", "/admin/stores", "/admin/connections", "/api/v1/pods", "/api"]
)
def test_a_reader_sees_every_page(pod: Pod, reader: Operator, page: str):
    assert reader.ask(pod.port, page).status == 200


@pytest.mark.parametrize("target", ACTIONS)
def test_a_reader_changes_nothing(pod: Pod, reader: Operator, target: str):
    """Neither the question nor its answer is his, and he is told in a sentence why."""
    form = {"csrfmiddlewaretoken": reader.token(pod.port, "/admin"), "confirmed": "1"}
    for page in (reader.ask(pod.port, target), reader.ask(pod.port, target, form)):
        assert page.status == 403
        assert "You may look at everything here and change nothing. A superuser can let you act" in page.text
    assert not re.search(rf"\[AUDIT\] {READER} (closed|asked|sent|retired|said)", pod.log)


async def test_buttons_are_for_those_who_may_press_them(pod: Pod, reader: Operator, actor: Operator):
    stream = await open_stream(pod.port, CLIENT)
    try:
        wait_until("the roster", lambda: "Retire…" in actor.ask(pod.port, "/admin/stores/STORE001").text)
        pages = [f"/admin/clients/{CLIENT}", "/admin/stores/STORE001"]
        seen = {who: "".join(who.ask(pod.port, page).text for page in pages) for who in (reader, actor)}
        assert [button for button in BUTTONS if button in seen[reader]] == []
        assert [button for button in BUTTONS if button not in seen[actor]] == []
    finally:
        await close_all([stream])


def test_the_page_of_the_api_lets_a_reader_try_what_changes_nothing(pod: Pod, reader: Operator, actor: Operator):
    tried = {who: set(re.findall(r'data-method="(\w+)"', who.ask(pod.port, "/api").text)) for who in (reader, actor)}
    assert tried == {reader: {"GET"}, actor: {"GET", "POST", "PUT", "DELETE"}}
    assert 'data-method="DELETE"' in Operator().ask(pod.port, "/api").text, "a stranger may have the token"


@pytest.mark.parametrize("target", ["/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/user/1/change/"])
def test_users_are_for_superusers(pod: Pod, actor: Operator, target: str):
    assert actor.ask(pod.port, target).status == 403


def test_an_actor_acts_and_it_is_written_down(pod: Pod, actor: Operator):
    target = f"/admin/clients/{CLIENT}/send"
    form = {"csrfmiddlewaretoken": actor.token(pod.port, target), "action": "alert", "data": "{}"}
    assert actor.ask(pod.port, target, form).status == 302
    pod.search_log(rf"\[AUDIT\] {ACTOR} sent {CLIENT} a test event, alert evt-\S+ address={HOST}:\d+")


@pytest.mark.parametrize("who", [READER, ACTOR])
def test_publishing_over_http_with_a_session(pod: Pod, who: str):
    """What back ends do all day is no line of the log; what a person tries on the page of the API is."""
    operator = signed_in(pod, who)
    headers = {
        "Cookie": f"sessionid={operator.cookies['sessionid']}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    }
    body = json.dumps({"clientName": CLIENT, "action": "alert", "eventId": f"by-{who}"}).encode()
    answer = pod.fetch("/api/v1/events", method="POST", headers=headers, body=body)
    assert answer.status == (403 if who == READER else 202)
    if who == ACTOR:
        pod.wait_log(f"[AUDIT] {ACTOR} sent {CLIENT} an event, alert by-{ACTOR} address=")
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.body)["type"] == "/api/v1/problems#insufficient-scope"


def test_an_own_password_that_is_changed_is_written_down(pod: Pod):
    operator = signed_in(pod, READER)
    target = "/admin/password_change/"
    form = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    wrong = {**form, "old_password": "wrong", "csrfmiddlewaretoken": operator.token(pod.port, target)}
    assert operator.ask(pod.port, target, wrong).status == 200
    assert f"[AUDIT] {READER} changed" not in pod.log
    right = {**form, "csrfmiddlewaretoken": operator.token(pod.port, target)}
    assert operator.ask(pod.port, target, right).status == 302
    pod.wait_log(f"[AUDIT] {READER} changed the own password address=")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rights", "acts", "role"),
    [
        ({}, False, "may nothing"),
        ({"is_staff": True}, False, "may read"),
        ({"is_staff": True, "is_active": False}, False, "may nothing"),
        ({"is_staff": True, "is_superuser": True}, True, "is a superuser"),
    ],
)
def test_role_of(rights: dict[str, bool], acts: bool, role: str):
    user = User.objects.create(username="ann", **rights)
    assert may_act(user) is acts
    assert role_of(user) == role


@pytest.mark.django_db
def test_role_of_a_member():
    """The group is there as soon as the database is."""
    user = User.objects.create(username="ann", is_staff=True)
    user.groups.add(Group.objects.create(name="others"))
    assert not may_act(user)
    user.groups.add(Group.objects.get(name=ACT))
    assert may_act(user)
    assert role_of(user) == "may read and act"


@pytest.mark.django_db
def test_make_group_makes_one_and_no_more():
    make_group("default", installed)
    assert Group.objects.filter(name=ACT).count() == 1


def test_make_group_without_users():
    make_group("default", StateApps([], {}))
