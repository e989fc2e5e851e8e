"""An issuer, or Redis, that is away: pods go on with what they know."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from streams.auth.revocations import Revocation
from streams.broker.clients import async_client
from streams.locks.revoking import REVOKED, revoke
from streams.roster.keys import prefix
from tests.conftest import StartPod
from tests.e2e.auth.conftest import bearer, issue
from tests.streams.auth.issuer import SECRET, claims, jwk, jwks, private, token
from tests.streams.locks.issuers import running_issuer
from tests.support.http import HOST, open_stream
from tests.support.links.relay import Relay
from tests.support.redis_server import CHANNEL as DEFAULT_CHANNEL
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually, wait_until

CHANNEL = "auth-cut-off"


def test_issuer_that_fails(start_pod: StartPod, redis_server: RedisServer, client_name: str):
    """A pod takes nobody before it has keys; then the last good ones stay, and no request waits for others."""

    def status(kid: str, number: int = 0) -> int:
        now = time.time()
        held = claims(sub=client_name, iat=now, exp=now + 600, iss="issuer", aud="sse")
        given = token("RS256", private("RS256", number), kid, **held)
        began = time.monotonic()
        answer = pod.fetch(f"/events/{client_name}", headers=bearer(given), method="HEAD")
        assert time.monotonic() - began < 1
        return answer.status

    with running_issuer() as issuer:
        issuer.instead = "error"
        pod = start_pod(
            ready=False,
            REDIS_URL=redis_server.url,
            STREAM_AUTH="required",
            TOKEN_JWKS_URL=issuer.url("/keys"),
            TOKEN_JWKS_SECONDS=1,
            TOKEN_ISSUER="issuer",
        )
        pod.wait_live()
        wait_until("what is missing to be told", lambda: b"no key for tokens" in pod.fetch("/health/ready").body)
        assert status("one") == 401
        issuer.instead = ""
        pod.wait_ready()
        assert status("one") == 200
        # The key is rotated while devices connect.
        issuer.keys = jwks(jwk("RS256", "one"), jwk("RS256", "two", 1))
        wait_until("the new key", lambda: (status("one"), status("two", 1)) == (200, 200))
        for kind in ("hang", "html", "empty", "to/cloud"):
            issuer.instead = kind
            errors = pod.metric("sse_jwks_errors_total")
            wait_until("an error", lambda: pod.metric("sse_jwks_errors_total") > errors)  # noqa: B023
            assert (status("one"), status("two", 1), status("three", 2)) == (200, 200, 401)
        assert pod.metric("sse_jwks_age_seconds") > 5
        assert pod.metric("sse_jwks_interval_seconds") == 1
        said: Any = redis_server.client.hvals(f"{prefix(DEFAULT_CHANNEL)}pods")
        told = re.search(rb'"jwksAgeSeconds":[0-9.]+', b" ".join(said))
        assert told is not None, "the other pods and the doctor are told, too"
        assert pod.is_ready
        issuer.instead = ""
        wait_until("good keys", lambda: pod.metric("sse_jwks_age_seconds") < 3)
    assert "no key for tokens" not in pod.fetch("/health/ready").body.decode()


async def test_token_that_is_revoked_while_its_pod_is_cut_off_from_redis(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    client = async_client(redis_server.url)
    try:
        async with Relay([redis_server.port]) as relay:
            pod = start_pod(
                ready=False,
                REDIS_URL=f"redis://{HOST}:{relay.port}",
                REDIS_CHANNEL=CHANNEL,
                STREAM_AUTH="required",
                TOKEN_SECRET=SECRET,
            )
            await asyncio.to_thread(pod.wait_ready)
            given = bearer(issue(client_name, jti=client_name))
            async with await open_stream(pod.port, client_name, headers=given) as stream:
                relay.refuse()
                await eventually("the pod to notice", lambda: not pod.is_ready)
                await revoke(client, CHANNEL, Revocation(time.time() + 60, jti=client_name))
                relay.restore()
                events = await stream.rest()
                assert (events[-1].type, events[-1].json()["reason"]) == ("unauthorized", "token-revoked")
            assert pod.fetch(f"/events/{client_name}", headers=given).status == 401
    finally:
        await client.delete(CHANNEL + REVOKED)
        await client.aclose()
