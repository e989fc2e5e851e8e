"""The rules for Redis users are taken by the Redis versions that the page names, and are enough for a pod."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.api.routes import ROUTES
from streams.broker.clients import async_client
from streams.doctor.rights import rights
from streams.roster.tracing.store import trace_on
from tests.conftest import StartPod
from tests.docs.pages import DOCS, section
from tests.support.http import HOST, open_stream
from tests.support.operators import Operator, make_databases
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import CHANNEL, RedisServer, free_port
from tests.support.waiting import wait_until

PAGE = DOCS / "howto/redis.md"
PASSWORD = "of-the-test"
TOKEN = "only-for-tests-" + "t" * 32
# The first that knows CLIENT SETINFO.
NEWER = (7, 2)


def rules() -> list[list[str]]:
    """Return the commands of the page, as redis-cli would send them."""
    blocks = "".join(re.findall(r"(?ms)^```\n(.*?)^```$", section(PAGE, "A user for the pods")))
    commands = re.sub(r"\n +", " ", blocks).splitlines()
    return [shlex.split(line.replace(">PASSWORD", f"'>{PASSWORD}'")) for line in commands if line.startswith("ACL")]


@pytest.fixture
def oldest(tmp_path: Path) -> Iterator[str]:
    """Start the oldest Redis that the page names; give its URL."""
    server = shutil.which("redis-server")
    version = subprocess.run([server, "--version"], capture_output=True, text=True).stdout if server else ""
    if server is None or " v=7.0." not in version:
        pytest.skip("there is no redis-server 7.0 here")
    port = free_port()
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    client = redis.Redis(HOST, port)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    wait_until("Redis to answer", answers)
    yield f"redis://{HOST}:{port}"
    client.close()
    process.terminate()
    process.wait()


@pytest.fixture
def newest(mortal_redis: RedisServer) -> str:
    mortal_redis.start()
    return mortal_redis.url


@pytest.fixture(params=["oldest", "newest"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def ask_about(pods: list[Pod], name: str, url: str) -> None:
    """Ask for all that the API answers, on both pods, and by the commands."""
    bearer = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    store, event = name.partition("-")[0], {"clientName": name, "action": "alert", "eventId": "ID"}
    bodies = {"/stores/STORE/expected": {"lanes": [name]}, "/events": event, "/events/batch": {"events": [event]}}
    bodies["/revocations"] = {"jti": name}
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


def test_doctor_tries_the_commands_of_the_rules():
    ruled = {word.removeprefix("+") for rule in rules() for word in rule if word.startswith("+")}
    assert {right.command for right in rights(CHANNEL, "", NEWER)} == ruled


async def test_rules_are_taken_and_are_enough(url: str, start_pod: StartPod, client_name: str, tmp_path: Path):
    """A pod and a publisher do all that they do, and Redis has nothing to refuse."""
    admin: Any = redis.Redis.from_url(url)
    version = tuple(int(part) for part in admin.info("server")["redis_version"].split(".")[:2])
    first, newer = rules()
    assert admin.execute_command(*first) == b"OK"
    if version < NEWER:
        with pytest.raises(redis.ResponseError, match="setinfo"):
            admin.execute_command(*newer)
    else:
        assert admin.execute_command(*newer) == b"OK"
        admin.acl_log_reset()
    user = url.replace("redis://", f"redis://sse:{PASSWORD}@")
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
    assert admin.acl_log() == [], "and nothing is refused"
    findings = json.loads(run_manage("doctor", "--json", env=environment(REDIS_URL=user)).stdout)["findings"]
    assert "may do all that a pod does" in next(one["says"] for one in findings if one["check"] == "rights")
    assert admin.acl_log() == [], "nor to doctor"
    admin.close()
