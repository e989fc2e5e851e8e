"""What becomes of a stream that is open: its token ends, is renewed, or is revoked."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any

import pytest

from streams.auth.revocations import Revocation
from streams.broker.clients import async_client
from streams.locks.revoking import revoke
from tests.conftest import StartPod
from tests.e2e.auth.conftest import CHANNEL, KID, Cluster, bearer, issue
from tests.streams.auth.issuer import jwk, jwks, private, token
from tests.support.http import Answer, EventStream, close_all, open_narrow, open_stream
from tests.support.marks import long
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually


def renew(pod: Pod, name: str, headers: dict[str, str]) -> Answer:
    return pod.fetch(f"/events/{name}/token", method="POST", headers=headers)


async def test_stream_is_warned_and_ends_with_its_token(cluster: Cluster, client_name: str):
    """Whoever comes with a token that ends soon is warned at once."""
    ends_at = time.time() + 2
    given = issue(client_name, exp=ends_at)
    async with await open_stream(cluster.one.port, client_name, headers=bearer(given)) as stream:
        warning = await stream.next()
        assert warning is not None
        assert warning.type == "token-expiring"
        said = warning.json()
        assert said["type"] == "token-expiring"
        assert said["expiresAt"] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ends_at)) + said["expiresAt"][-5:]
        assert said["podName"] == "pod-1"
        (farewell,) = await stream.rest()
        assert (farewell.type, farewell.json()["reason"], stream.ended) == ("unauthorized", "token-expired", True)
        # The leeway, and the round of the pod, which a busy machine may make late.
        assert ends_at + 1 <= time.time() < ends_at + 5
        assert stream.parser.retry_ms is not None
        assert stream.parser.retry_ms <= 5_000
    assert "token-expired" in cluster.one.fetch("/metrics").body.decode()


async def test_token_that_ends_while_a_replay_runs(cluster: Cluster, redis_server: RedisServer, client_name: str):
    """What was on its way comes before the farewell, and nothing after it."""
    pod, count = cluster.one, 60
    remembered = pod.metric("sse_history_events") + count
    for number in range(count):
        redis_server.publish(event(client_name, number, data="x" * 100_000), CHANNEL)
    await eventually("the last event", lambda: pod.metric("sse_history_events") == remembered)
    headers = bearer(issue(client_name, exp=time.time() + 1)) | {"Last-Event-ID": "evt-00000000"}
    async with await open_narrow(pod.port, client_name, 16 * 1024, headers=headers) as stream:
        ended = f"Client {client_name} disconnected (token-expired)"
        await eventually("the end of its token", lambda: ended in pod.log)
        *events, farewell = await stream.rest()
    assert (farewell.type, farewell.json()["reason"], stream.ended) == ("unauthorized", "token-expired", True)
    got = [each.last_event_id for each in events if each.type == "message"]
    assert got == [f"evt-{number:08d}" for number in range(1, len(got) + 1)]
    assert 0 < len(got) < count - 1


async def test_renewal_on_any_pod_keeps_the_stream(cluster: Cluster, client_name: str):
    """The last at the very end of the token before; with another sub or no right it is refused."""
    ends_at = time.time() + 2
    async with await open_stream(
        cluster.one.port, client_name, headers=bearer(issue(client_name, exp=ends_at))
    ) as stream:
        lasting: dict[str, Any] = {"sse": {"subscribe": [client_name]}}
        for pod in cluster[:2]:
            assert renew(pod, client_name, {}).status == 401
            assert renew(pod, client_name, bearer(issue(client_name, -10))).status == 401
            assert renew(pod, client_name, bearer(issue("STORE009-LANE09"))).status == 403
            assert renew(pod, client_name, bearer(issue("STORE009-LANE09", **lasting))).status == 403
        taken = renew(cluster.other, client_name, bearer(issue(client_name, exp=ends_at + 1.5)))
        assert (taken.status, taken.body) == (204, b"")
        await eventually("the end of the first token", lambda: time.time() >= ends_at + 1, 10)
        assert renew(cluster.other, client_name, bearer(issue(client_name))).status == 204
        await eventually("the end of the second", lambda: time.time() >= ends_at + 2.5, 10)
        assert renew(cluster.one, client_name, bearer(issue(client_name))).status == 204
        assert not stream.closed
        assert cluster.one.fetch("/admin/connections").body.decode().count(f'"{client_name}"') == 1
    nobody = await eventually(
        "the stream to be gone",
        lambda: (answer := renew(cluster.other, client_name, bearer(issue(client_name)))).status == 404 and answer,
        10,
    )
    assert "No pod has an open stream" in nobody.json()["error"]


async def test_renewal_on_a_pod_that_observes_reaches_the_stream(cluster: Cluster, observer: Pod, client_name: str):
    """While pods are rolled from the one to the other, any of them may be asked."""
    ends_at = time.time() + 2
    given = issue(client_name, exp=ends_at)
    async with await open_stream(cluster.one.port, client_name, headers=bearer(given)) as stream:
        assert renew(observer, client_name, bearer(issue(client_name))).status == 204
        await eventually("the end of the first token", lambda: time.time() >= ends_at + 2.5, 10)
        assert renew(cluster.one, client_name, bearer(issue(client_name))).status == 204
        assert not stream.closed


async def test_observer_warns_and_lists_whose_token_ends_and_lets_the_stream_go_on(observer: Pod, client_name: str):
    """A device that renews when it is told has a good token when `required` comes; one that does not is found."""

    def listed() -> list[str]:
        lanes = observer.json("/api/v1/refused?limit=1000")["lanes"]
        return [lane["result"] for lane in lanes if lane["clientName"] == client_name]

    given = issue(client_name, 1)
    async with await open_stream(observer.port, client_name, headers=bearer(given)) as stream:
        warning = await stream.next()
        assert warning is not None
        assert warning.type == "token-expiring"
        assert listed() == []
        await eventually("its end to be noted", lambda: listed() == ["expired"], 10)
        assert renew(observer, client_name, bearer(issue(client_name, jti=client_name))).status == 204
        assert listed() == []
        assert not stream.closed


async def test_lane_that_shows_a_good_token_is_listed_on_no_pod(cluster: Cluster, client_name: str):
    """Whichever pods it came to before: nobody could wait until none lists any."""

    def listed(pod: Pod) -> bool:
        lanes = pod.json("/api/v1/refused?limit=1000")["lanes"]
        return client_name in [lane["clientName"] for lane in lanes]

    for pod in cluster[:2]:
        assert pod.fetch(f"/events/{client_name}").status == 401
        assert listed(pod)
    async with await open_stream(cluster.one.port, client_name, headers=bearer(issue(client_name))):
        assert not listed(cluster.one)
        await eventually("the other pod to be told", lambda: not listed(cluster.other), 5)


async def test_revocation_ends_streams_on_every_pod_within_a_second(
    cluster: Cluster, redis_server: RedisServer, client_name: str
):
    now = time.time()
    tokens = {pod.port: issue(f"{client_name}-{pod.port}", jti=f"{client_name}-{pod.port}") for pod in cluster[:2]}
    streams = [
        await open_stream(port, f"{client_name}-{port}", headers=bearer(given)) for port, given in tokens.items()
    ]
    other = await open_stream(cluster.one.port, client_name, headers=bearer(issue(client_name)))
    client = async_client(redis_server.url)
    try:
        for port in tokens:
            await revoke(client, CHANNEL, Revocation(now + 60, jti=f"{client_name}-{port}"))
        revoked_at = time.monotonic()
        for stream in streams:
            (farewell,) = await stream.rest()
            assert (farewell.type, farewell.json()["reason"]) == ("unauthorized", "token-revoked")
        assert time.monotonic() - revoked_at < 1
        assert not other.closed
        await revoke(client, CHANNEL, Revocation(now + 60, sub=client_name, issued_before=now))
        (farewell,) = await other.rest()
        assert farewell.json()["reason"] == "token-revoked"
    finally:
        await client.aclose()
    for stream in (*streams, other):
        await stream.close()
    for port, given in tokens.items():
        pod = next(pod for pod in cluster[:2] if pod.port == port)
        assert pod.fetch(f"/events/{client_name}-{port}", headers=bearer(given)).status == 401
    younger = issue(client_name, iat=time.time() + 0.5)
    async with await open_stream(cluster.other.port, client_name, headers=bearer(younger)):
        pass


@pytest.mark.first
async def test_file_of_keys_that_changes_is_taken_over(cluster: Cluster, client_name: str):
    """A broken one changes nothing, and is said once; streams that are open stay."""

    def status(kid: str, key: Any, pod: Pod = cluster.one) -> int:
        now = time.time()
        algorithm = "RS256" if kid == KID else "ES256"
        given = token(algorithm, key, kid=kid, sub=client_name, iat=now, exp=now + 600)
        return pod.fetch(f"/events/{client_name}", headers=bearer(given), method="HEAD").status

    old, new = private("RS256"), private("ES256", 7)
    before = cluster.keys.read_text()
    try:
        assert status("new", new) == 401
        async with await open_stream(cluster.one.port, client_name, headers=bearer(issue(client_name))) as stream:
            cluster.keys.write_text(jwks(jwk("ES256", "new", 7)))
            await eventually("the new key", lambda: status("new", new) == 200, 10)
            cluster.keys.write_text("{")
            cluster.one.wait_log("TOKEN_KEYS: This is no JWKS")
            assert status("new", new) == 200
            assert not stream.closed
        assert cluster.one.log.count("TOKEN_KEYS: This is no JWKS") == 1
    finally:
        cluster.keys.write_text(before)
        for pod in cluster[:2]:
            await eventually("the keys of before", lambda: status(KID, old, pod) == 200)  # noqa: B023


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [200, long(10_000)])
async def test_herd_comes_with_tokens_of_a_public_key(
    start_pod: StartPod, redis_server: RedisServer, cluster: Cluster, count: int
):
    """Each with its own, that nobody has verified before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count + 500), hard), hard))
    pod = start_pod(
        REDIS_URL=redis_server.url,
        REDIS_CHANNEL=CHANNEL,
        LOG_LEVEL="warning",
        STREAM_AUTH="required",
        TOKEN_KEYS=str(cluster.keys),
    )
    now = time.time()
    names = [f"HERD-{number:05d}" for number in range(count)]
    tokens = {name: token("RS256", kid=KID, sub=name, iat=now, exp=now + 600) for name in names}
    waiting, streams = iter(names), list[EventStream]()

    async def come_in_turn() -> None:
        for name in waiting:
            streams.append(await open_stream(pod.port, name, headers=bearer(tokens[name])))

    before = pod.ps.cpu_times().user
    await asyncio.gather(*(come_in_turn() for _ in range(100)))
    print(f"{count} streams with RS256: {pod.ps.cpu_times().user - before:.2f} s of the pod's processor")
    assert pod.connections() == count
    assert pod.metric('sse_auth_total{mode="required",result="ok"}') == count
    await close_all(streams)
