"""Back ends, operators and scrapes with tokens, on real pods in production."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import jwt
import pytest

from tests.conftest import StartPod
from tests.e2e.publish.asking import JSON, TOKEN, Published, post, problem
from tests.support.http import Answer, open_stream
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually, wait_until

SECRET = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
# Within which a revocation holds on every pod.
REVOKED_SECONDS = 1.0


def bearer(**claims: Any) -> dict[str, str]:
    rights = {name: claims.pop(name) for name in ("publish", "subscribe", "admin") if name in claims}
    said = {"sub": "orders", "iat": int(time.time()), "exp": int(time.time()) + 600, **claims, "sse": rights}
    return {"Authorization": f"Bearer {jwt.encode(said, SECRET, 'HS256')}"}


def variables(server: RedisServer, **more: Any) -> dict[str, Any]:
    own = {"REDIS_URL": server.url, "TOKEN_SECRET": SECRET, "ADMIN_TOKEN": TOKEN, "METRICS_AUTH": "required"}
    return {**PRODUCTION, **own, "PUBLISH_AUTH": "required", **more}


@pytest.fixture(scope="module")
def guarded(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    return start_shared_pod(**variables(redis_server))


def revoke(pod: Pod, said: Any) -> Answer:
    body = json.dumps(said).encode()
    return pod.fetch("/api/v1/revocations", method="POST", headers=JSON | bearer(admin=["act"]), body=body)


async def test_back_end_publishes_where_it_has_the_right(guarded: Pod, published: Published, client_name: str):
    said = {"clientName": client_name, "action": "payment"}
    mine, count = bearer(publish=[client_name[:-2] + "*"]), published()
    async with await open_stream(guarded.port, client_name) as stream:
        assert post(guarded, said, headers=mine).status == 202
        assert (await stream.next_json())["action"] == "payment"
    event_id = {**said, "eventId": f"evt-{client_name}"}
    assert post(guarded, event_id, headers=mine).status == 202
    target = f"/api/v1/events/evt-{client_name}"
    assert guarded.fetch(target, headers=mine).status == 200
    assert guarded.fetch(target, headers=bearer(admin=["read"])).status == 200
    assert problem(guarded.fetch(target, headers=bearer(publish=["OTHER-*"])), "insufficient-scope")
    other = post(guarded, {"events": [said, {**said, "clientName": "OTHER"}]}, "/batch", mine)
    assert other.status == 403
    assert problem(other, "insufficient-scope")["errors"][0]["pointer"] == "/events/1/clientName"
    stranger = post(guarded, said)
    assert (stranger.status, stranger.headers["www-authenticate"]) == (401, "Bearer")
    assert published() == count + 2
    assert post(guarded, said, headers={"Authorization": f"Bearer {TOKEN}"}).status == 202, "as it was before"


def test_metrics_and_pages_for_a_token_that_may_read(guarded: Pod):
    assert guarded.fetch("/metrics").status == 401
    assert guarded.fetch("/metrics", headers=bearer(publish=["*"])).status == 403
    text = guarded.fetch("/metrics", headers=bearer(admin=["read"])).body.decode()
    assert (
        'sse_auth_total{mode="required",result="ok"}' in text or 'sse_auth_total{result="ok",mode="required"}' in text
    )
    for path in ("/admin/connections", "/admin/tokens", "/api/v1/pods", "/api/v1/refused"):
        assert guarded.fetch(path, headers=bearer(admin=["read"])).status == 200, path
        assert guarded.fetch(path, headers=bearer(publish=["*"])).status == 403, path
    assert guarded.fetch("/health/ready").status == 200


def test_revoked_token_publishes_nothing_on_any_pod(
    guarded: Pod, start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    other = start_pod(**variables(redis_server))
    said, mine = {"clientName": client_name, "action": "payment"}, bearer(publish=["*"], jti=client_name)
    assert [post(pod, said, headers=mine).status for pod in (guarded, other)] == [202, 202]
    answer = revoke(guarded, {"jti": client_name})
    assert (answer.status, answer.json()["jti"]) == (202, client_name)
    began = time.monotonic()
    wait_until("the revocation", lambda: post(guarded, said, headers=mine).status == 401)
    wait_until("the same there", lambda: post(other, said, headers=mine).status == 401)
    assert time.monotonic() - began < REVOKED_SECONDS
    assert "revoked" in problem(post(other, said, headers=mine), "unauthorized")["detail"]
    assert post(other, said, headers=bearer(publish=["*"], jti="another")).status == 202
    guarded.wait_log(f"[AUDIT] token:orders revoked the token {client_name}")
    late = start_pod(**variables(redis_server))
    assert post(late, said, headers=mine).status == 401, "a pod that was not there reads it"


def test_revoke_token_ends_all_of_a_holder(guarded: Pod, redis_server: RedisServer, client_name: str):
    said, mine = {"clientName": client_name, "action": "payment"}, bearer(publish=["*"], sub=client_name)
    assert post(guarded, said, headers=mine).status == 202
    env = environment(**variables(redis_server))
    told = run_manage("revoke_token", "--sub", client_name, "--issued-before", str(int(time.time()) + 1), env=env)
    assert told.returncode == 0, told.stderr
    wait_until("the revocation", lambda: post(guarded, said, headers=mine).status == 401)


async def test_lanes_without_a_token_are_listed_and_counted_on_every_pod(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    """`observe` lets them in, until all have one."""
    one, other = (start_pod(**variables(redis_server, STREAM_AUTH="observe", POD_NAME=name)) for name in ("one", "two"))
    read = bearer(admin=["read"])

    def counts() -> dict[str, int]:
        pods = other.fetch("/api/v1/pods", headers=read).json()["pods"]
        return {each["podName"]: each["refusedLanes"] for each in pods if each["state"] == "ready"}

    async with await open_stream(one.port, client_name):
        (lane,) = one.fetch("/api/v1/refused", headers=read).json()["lanes"]
        assert (lane["clientName"], lane["result"]) == (client_name, "none")
        assert client_name in one.fetch("/admin/tokens", headers=read).body.decode()
        assert other.fetch("/api/v1/refused", headers=read).json()["total"] == 0
        await eventually("the count", lambda: counts().get("one") == 1)
        page = other.fetch("/admin/tokens", headers=read).body.decode()
        assert re.search(r"pods/one\">one</a>\s*</th>\s*<td>1 lane</td>", page)
    async with await open_stream(one.port, client_name, headers=bearer(subscribe=[client_name])):
        assert one.fetch("/api/v1/refused", headers=read).json()["total"] == 0
        await eventually("none", lambda: counts().get("one") == 0)


def test_tokens_are_in_no_log_and_no_answer(start_pod: StartPod, redis_server: RedisServer, client_name: str):
    pod = start_pod(**variables(redis_server, LOG_LEVEL="debug"))
    said = {"clientName": client_name, "action": "payment"}
    bodies = b""
    for headers in (bearer(publish=["*"]), bearer(), bearer(publish=["*"], exp=1), bearer(admin=["act"])):
        token = headers["Authorization"].split()[1]
        for answer in (
            post(pod, said, headers=headers),
            post(pod, said, f"?access_token={token}"),
            pod.fetch("/admin/tokens", headers=headers),
            pod.fetch(f"/metrics?token={token}"),
            pod.fetch(f"/admin/tokens?q=x&jwt={token}"),
        ):
            bodies += answer.body + repr(answer.headers).encode()
        assert token.rpartition(".")[2].encode() not in bodies
        assert token.rpartition(".")[2] not in pod.log
    assert SECRET.encode() not in bodies
    assert SECRET not in pod.log
