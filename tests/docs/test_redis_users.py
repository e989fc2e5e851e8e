"""The rules for Redis users are taken by the versions that the page names; each role does its work and no other's."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from redis.exceptions import NoPermissionError

from streams.api.routes import ROUTES
from streams.broker.clients import async_client
from streams.conf import StreamSettings
from streams.doctor import probes
from streams.doctor.findings import State
from streams.doctor.rights import SETINFO, SETINFO_VERSION, rights
from streams.doctor.roles import FRONT_DOOR, Role, commands, rule, selected
from streams.roster.keys import store_of
from streams.roster.tracing.store import trace_on
from tests.conftest import StartPod
from tests.docs.redis_users import SECTIONS, SHARED, refusals, rules, send, undeclared
from tests.support.http import HOST, open_stream
from tests.support.operators import Operator, make_databases
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import CHANNEL
from tests.support.waiting import wait_until

TOKEN = "only-for-tests-" + "t" * 32
FIRST = ["reset", "resetchannels", "on", ">PASSWORD"]


def ask_about(pods: list[Pod], name: str, url: str) -> None:
    """Ask for all that the API answers, on both pods, and by the commands."""
    bearer = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    store, event = name.partition("-")[0], {"clientName": name, "action": "alert", "eventId": "ID"}
    bodies = {
        "/stores/STORE/expected": {"lanes": [name]},
        "/events": event,
        "/events/batch": {"events": [event]},
        "/revocations": {"jti": "7f3c"},
    }
    for pod in pods:
        for route in ROUTES:
            path = "/api/v1" + route.path.replace("NAME", name).replace("STORE", store)
            said = json.dumps(bodies[route.path]).encode() if route.path in bodies else b""
            for method in route.endpoints:
                answer = pod.fetch(path, method=method, headers=bearer, body=said)
                assert answer.status in (200, 202, 204, 404), (method, path, answer)
        for durable in (True, False):
            said = json.dumps({**event, "eventId": f"{durable}", "durable": durable, "requireOnline": True}).encode()
            assert pod.fetch("/api/v1/events", method="POST", headers=bearer, body=said).status in (202, 409)
        assert pod.fetch("/api/v1/clients?q=nobody&state=missing", headers=bearer).status == 200
        assert pod.fetch(f"/admin/client/{name}?scope=cluster", headers=bearer).status in (200, 404)
    env = environment(REDIS_URL=url)
    assert run_manage("lanes", env=env).returncode == 0
    assert run_manage("trace", name, env=env).returncode == 0


def test_rules_of_the_page_are_those_of_the_code():
    for role in Role:
        assert rules(SECTIONS[role])[0][3:] == [*FIRST, *rule(role, CHANNEL)]
    assert rules(SECTIONS[Role.OPERATOR])[1][3:] == selected(FRONT_DOOR, CHANNEL)


@pytest.mark.parametrize("role", [Role.POD, Role.OPERATOR])
def test_doctor_tries_the_commands_of_the_rules(role: Role):
    assert {right.command for right in rights(CHANNEL, "", SETINFO_VERSION, role)} == commands(role) | {SETINFO}


def test_a_rule_with_setinfo_is_refused_by_an_older_redis(oldest: str):
    admin: Any
    with contextlib.closing(redis.Redis.from_url(oldest)) as admin, pytest.raises(redis.ResponseError, match="setinfo"):
        admin.execute_command(*rules(SHARED)[0])


async def test_pods_do_all_that_they_do_with_their_user(
    users: dict[Role, str], admin: Any, start_pod: StartPod, client_name: str, tmp_path: Path
):
    """Redis has nothing to refuse, and holds nothing that the list of keys has not."""
    user = users[Role.POD]
    (database,) = make_databases(tmp_path, 1)
    production = PRODUCTION | {"DATABASE_URL": database, "ADMIN_TOKEN": TOKEN}
    pods = [start_pod(REDIS_URL=user, POD_NAME=name, **production) for name in ("pod-1", "pod-2")]
    for pod in pods:
        pod.wait_log("Hearing the other pods")
    async with await open_stream(pods[0].port, client_name) as stream:
        for durable in ([], ["--durable"]):
            published = run_manage("publish_event", client_name, "alert", *durable, env=environment(REDIS_URL=user))
            assert published.returncode == 0, published.stderr
            await stream.next_json()
        async with await open_stream(pods[1].port, client_name):
            assert [received.type for received in await stream.rest()] == ["evicted"]
    ask_about(pods, client_name, user)
    async with async_client(user) as client:
        await trace_on(client, CHANNEL, client_name, 1)
    operator = Operator()
    assert operator.try_password(pods[0].port, "wrong").status == 200
    operator.log_in(pods[0].port)
    operator.log_out(pods[0].port)
    assert refusals(admin) == [], "and nothing is refused"
    findings = json.loads(run_manage("doctor", "--json", env=environment(REDIS_URL=user)).stdout)["findings"]
    assert "may do all that a pod does" in next(one["says"] for one in findings if one["check"] == "rights")
    assert refusals(admin) == [], "nor to doctor"
    assert undeclared(admin) == []


# Each is another role's, or nobody's.
NOT_A_PUBLISHERS = (
    ("XRANGE", f"{CHANNEL}:log", "-", "+"),
    ("XREAD", "STREAMS", f"{CHANNEL}:log", "0"),
    ("DEL", f"{CHANNEL}:log"),
    ("XADD", f"{CHANNEL}:log:lost", "*", "event", ""),
    ("XADD", f"{CHANNEL}:trace:STORE001-LANE01", "*", "entry", ""),
    ("HSET", f"{CHANNEL}:roster:pods", "life", ""),
    ("HGETALL", f"{CHANNEL}:roster:pods"),
    ("HSET", f"{CHANNEL}:revoked", "jti", ""),
    ("SET", f"{CHANNEL}:accepted:evt-1", ""),
    ("PUBLISH", f"{CHANNEL}:pods:__group__pods", ""),
    ("PUBLISH", f"{CHANNEL}:canary:life", "[]"),
    ("SUBSCRIBE", CHANNEL),
    ("EVAL", "return redis.call('GET', 'x')", "0"),
)
NOT_AN_OPERATORS = (
    ("PUBLISH", CHANNEL, "{}"),
    ("XADD", f"{CHANNEL}:log", "*", "event", "{}"),
    ("XRANGE", f"{CHANNEL}:log", "-", "+"),
    ("XREVRANGE", f"{CHANNEL}:log", "+", "-"),
    ("XINFO", "STREAM", f"{CHANNEL}:log", "FULL"),
    ("SUBSCRIBE", CHANNEL),
    ("PSUBSCRIBE", f"{CHANNEL}*"),
    ("PUBLISH", f"{CHANNEL}:canary:life", "[]"),
    ("HSET", f"{CHANNEL}:roster:pods", "life", ""),
    ("HDEL", f"{CHANNEL}:roster:seen:STORE001", "STORE001-LANE01"),
    ("HSET", f"{CHANNEL}:trace:STORE001-LANE01", "x", ""),
    ("GET", f"{CHANNEL}:accepted:evt-1"),
    ("SET", f"{CHANNEL}:operators:ended:login", ""),
    ("EXPIRE", f"{CHANNEL}:operators:attempts:name", "0"),
)
NOBODYS = (("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("MONITOR",), ("GET", "another"))


def states_of(report: str) -> dict[str, str]:
    """Return the state of each check that doctor tells."""
    return {one["check"]: one["state"] for one in json.loads(report)["findings"]}


def is_refused(client: Any, call: tuple[str, ...]) -> bool:
    try:
        client.execute_command(*call)
    except NoPermissionError:
        return True
    return False


def refused(url: str, calls: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    """Return the calls that Redis refuses to a user."""
    with contextlib.closing(redis.Redis.from_url(url)) as client:
        return [call for call in calls if is_refused(client, call)]


def test_a_user_can_do_nothing_of_another_role(users: dict[Role, str]):
    for role, calls in {Role.POD: (), Role.PUBLISHER: NOT_A_PUBLISHERS, Role.OPERATOR: NOT_AN_OPERATORS}.items():
        assert refused(users[role], calls + NOBODYS) == [*calls, *NOBODYS], role


@pytest.mark.parametrize("role", [Role.PUBLISHER, Role.OPERATOR])
def test_a_script_can_do_no_more_than_its_user(users: dict[Role, str], admin: Any, role: Role):
    digest = admin.script_load(f"return redis.call('HSET', '{CHANNEL}:roster:pods', 'life', '')")
    with contextlib.closing(redis.Redis.from_url(users[role])) as client, pytest.raises(redis.ResponseError):
        client.evalsha(digest, 0)
    assert not admin.exists(f"{CHANNEL}:roster:pods")


async def test_publishers_and_operators_do_all_that_they_do_with_their_users(
    users: dict[Role, str], admin: Any, start_pod: StartPod, client_name: str
):
    pod = start_pod(REDIS_URL=users[Role.POD])
    pod.wait_log("Hearing the other pods")
    publisher, operator = (environment(REDIS_URL=users[role]) for role in (Role.PUBLISHER, Role.OPERATOR))
    async with await open_stream(pod.port, client_name) as stream:
        for durable in ([], ["--durable"]):
            published = run_manage("publish_event", client_name, "alert", *durable, env=publisher)
            assert published.returncode == 0, published.stderr
            assert (await stream.next_json())["action"] == "alert"
        wait_until("the claim", lambda: admin.hexists(f"{CHANNEL}:roster:known:{store_of(client_name)}", client_name))
        for command in (["lanes"], ["lane", client_name], ["trace", client_name]):
            said = run_manage(*command, env=operator)
            assert said.returncode == 0, said.stderr
            assert "pod-under-test" in said.stdout
        states = states_of(run_manage("doctor", "--role", "operator", "--json", env=operator).stdout)
        assert {states[check] for check in ("redis", "role", "rights", "canary", "journal", "clock")} == {"ok"}
        assert "skipped" not in {state for check, state in states.items() if check != "front door"}
        async with async_client(users[Role.OPERATOR]) as client:
            await trace_on(client, CHANNEL, client_name, 1)
    with contextlib.closing(redis.Redis.from_url(users[Role.OPERATOR])) as client:
        assert client.hset(f"{CHANNEL}:revoked", "jti", "1") == 1
        assert client.hgetall(f"{CHANNEL}:revoked") == {b"jti": b"1"}
        assert client.expire(f"{CHANNEL}:revoked", 60)
    with contextlib.closing(redis.Redis.from_url(users[Role.POD])) as client:
        assert client.hgetall(f"{CHANNEL}:revoked") == {b"jti": b"1"}
        assert client.hdel(f"{CHANNEL}:revoked", "jti") == 1
    assert refusals(admin) == []


def test_an_operator_looks_through_the_front_door_with_the_words_for_it(
    users: dict[Role, str], admin: Any, start_pod: StartPod
):
    """The lane of it is in the roster no more."""
    send(admin, rules(SECTIONS[Role.OPERATOR])[1])
    pod = start_pod(REDIS_URL=users[Role.POD])
    env = environment(REDIS_URL=users[Role.OPERATOR])
    said = run_manage("doctor", "--role", "operator", "--json", "--url", f"http://{HOST}:{pod.port}", env=env)
    states = states_of(said.stdout)
    assert (states["rights"], states["front door"], states["event"]) == ("ok", "ok", "ok"), said.stdout
    assert refusals(admin) == []
    assert not admin.exists(f"{CHANNEL}:roster:known:DOCTOR")


async def test_a_channel_with_marks_of_patterns_has_rules_too(users: dict[Role, str], admin: Any, conf: StreamSettings):
    channel = "till[*"
    send(admin, ["ACL", "SETUSER", "sse", "resetkeys", "resetchannels", *rule(Role.POD, channel)])
    theirs = msgspec.structs.replace(conf, redis_url=users[Role.POD], redis_channel=channel)
    for look in (probes.look_at_rights(theirs, (7, 0)), probes.look_at_canary(theirs)):
        assert [found.state for found in await look] == [State.WELL]
