"""Who gets a stream, and what the others are told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.auth.conftest import COOKIE, KID, SHOP, Cluster, bearer, issue
from tests.streams.auth.issuer import OTHER_SECRET, claims, forged, private, public_pem, token
from tests.support.http import exchange, open_response, open_stream, parse_answer, request_bytes
from tests.support.pods import Pod
from tests.support.waiting import eventually

INVALID = 'Bearer error="invalid_token"'
READS_EVENTS = {"Accept": "text/event-stream"}
PLAIN = {"User-Agent": "kiosk", **READS_EVENTS}


def refused(pod: Pod, name: str, headers: dict[str, str], *, query: str = "", method: str = "GET") -> tuple[int, str]:
    """Return the status and the challenge of a stream that is refused."""
    answer = pod.fetch(f"/events/{name}{query}", headers=headers, method=method)
    assert answer.headers["content-type"] == "application/json"
    if method == "GET":
        body = answer.json()
        assert body["success"] is False
        assert body["error"].endswith((".", ": see nbf and iat, and the clocks."))
        for given in headers.values():
            assert given.removeprefix("Bearer ") not in answer.body.decode()
    return answer.status, answer.headers["www-authenticate"]


def fresh(**changes: Any) -> dict[str, Any]:
    now = time.time()
    return claims(**{"iat": now - 60, "exp": now + 600, **changes})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_stream_needs_a_token_for_its_name(cluster: Cluster, client_name: str, method: str):
    pod = cluster.one
    assert refused(pod, client_name, {}, method=method) == (401, "Bearer")
    assert refused(pod, client_name, bearer("nonsense"), method=method) == (401, INVALID)
    other = bearer(issue(client_name.lower()))
    assert refused(pod, client_name, other, method=method) == (403, 'Bearer error="insufficient_scope"')
    query = "?access_token=" + issue(client_name)
    challenge = 'Bearer error="invalid_request"'
    assert refused(pod, client_name, bearer(issue(client_name)), query=query, method=method) == (400, challenge)
    assert client_name not in pod.fetch("/admin/connections").body.decode()


async def test_good_token_opens_a_stream(cluster: Cluster, client_name: str):
    """By any algorithm that there is a key for, and in a header of any case."""
    by_name = issue("nobody", sse={"subscribe": [client_name[:6] + "*"]})
    rotated = token("HS256", OTHER_SECRET, **fresh(sub=client_name))
    public = token("RS256", kid=KID, **fresh(sub=client_name))
    for given in (issue(client_name), by_name, rotated, public):
        async with await open_stream(cluster.one.port, client_name, headers=bearer(given) | PLAIN):
            pass
    async with await open_stream(cluster.one.port, client_name, headers={"authorization": f"bearer  {by_name}"}):
        pass
    # One that Twisted reads, as it asks for another way to be refused.
    async with await open_stream(cluster.one.port, client_name, headers=bearer(by_name) | {"Prefer": "status"}):
        pass
    assert cluster.one.fetch(f"/events/{client_name}", headers=bearer(by_name), method="HEAD").status == 200
    assert refused(cluster.one, client_name, {"Authorization": "Basic dTpw"}) == (401, "Bearer")


def test_forged_tokens(cluster: Cluster, client_name: str):
    mine = fresh(sub=client_name)
    pem = public_pem(private("RS256"))
    bad = [
        forged({"alg": "none"}, mine),
        forged({"alg": "none"}, mine).rpartition(".")[0] + ".",
        forged({"alg": "HS256", "kid": KID}, mine, key=pem),
        forged({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, mine, key="AAAA" * 10),
        forged({"alg": "HS256", "crit": ["exp"]}, mine),
        forged({"alg": "RS256", "kid": "../" * 100}, mine),
        forged({"alg": "HS256"}, {**mine, "exp": "2100-01-01"}),
        forged({"alg": "HS256"}, {**mine, "exp": 1e100}),
        forged({"alg": "HS256"}, {**mine, "exp": -1}),
        forged({"alg": "HS256"}, {**mine, "nbf": time.time() + 40}),
        *(issue(client_name, sse={"subscribe": [pattern]}) for pattern in ("**", "TEST*1", "", " ")),
        issue(client_name) + "." + issue(client_name),
        "a.b.c.d.e",
        "a" * 9000,
    ]
    for given in bad:
        assert refused(cluster.one, client_name, bearer(given) | READS_EVENTS) == (401, INVALID)


def test_two_authorization_headers(cluster: Cluster, client_name: str):
    good = f"Authorization: Bearer {issue(client_name)}\r\n"
    request = request_bytes("GET", f"/events/{client_name}", {"Connection": "close"})
    answer = parse_answer(exchange(cluster.one.port, request[:-2] + good.encode() * 2 + b"\r\n"))
    assert (answer.status, answer.headers["www-authenticate"]) == (400, 'Bearer error="invalid_request"')


def test_head_that_is_too_long_is_refused_before_it_is_read(cluster: Cluster, client_name: str):
    assert cluster.one.fetch(f"/events/{client_name}", headers=bearer("a" * 20_000)).status == 431


async def test_cookie_is_for_the_same_origin_or_an_allowed_one(cluster: Cluster, client_name: str):
    port = cluster.one.port
    cookie = {"Cookie": f"theme=dark; {COOKIE}={issue(client_name)}"}
    pages: list[dict[str, str]] = [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": SHOP, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1"},
    ]
    for page in pages:
        async with await open_stream(port, client_name, headers=cookie | page):
            pass
    assert refused(cluster.one, client_name, cookie | {"Sec-Fetch-Site": "same-site"}) == (401, "Bearer")
    evil = cluster.one.fetch(f"/events/{client_name}", headers=cookie | {"Origin": "https://evil.example"})
    assert evil.status == 403
    # The header wins, whatever the cookie says.
    other = bearer(issue("STORE009-LANE09"))
    assert refused(cluster.one, client_name, cookie | other)[0] == 403


async def test_expired_token_is_told_in_the_stream(cluster: Cluster, client_name: str):
    """An EventSource gives up for ever on a status, and a page renews its cookie; whoever asked for a status has it."""
    expired = bearer(issue(client_name, -10))
    stream = await open_response(cluster.one.port, client_name, headers=expired | READS_EVENTS)
    (event,) = await stream.rest()
    assert (stream.status, stream.ended, event.type) == (200, True, "unauthorized")
    assert event.json() | {"timestamp": ""} == {
        "type": "unauthorized",
        "reason": "token-expired",
        "podName": "pod-1",
        "timestamp": "",
    }
    assert stream.parser.retry_ms is not None
    assert 30_000 <= stream.parser.retry_ms <= 60_000
    await stream.close()
    assert refused(cluster.one, client_name, expired) == (401, INVALID)
    assert refused(cluster.one, client_name, expired | READS_EVENTS | {"Prefer": "status"}) == (401, INVALID)
    forged_too = bearer(token("HS256", "x" * 40, **fresh(sub=client_name, exp=time.time() - 10)))
    assert refused(cluster.one, client_name, forged_too | READS_EVENTS) == (401, INVALID)


async def test_who_is_refused_evicts_nobody(cluster: Cluster, client_name: str):
    async with await open_stream(cluster.one.port, client_name, headers=bearer(issue(client_name))) as stream:
        assert refused(cluster.one, client_name, {})[0] == 401
        assert refused(cluster.one, client_name, bearer(issue("STORE009-LANE09")))[0] == 403
        stranger = await open_response(
            cluster.one.port, client_name, headers=bearer(issue(client_name, -10)) | READS_EVENTS
        )
        await stranger.rest()
        await stranger.close()
        assert cluster.one.fetch("/admin/connections").body.decode().count(f'"{client_name}"') == 1
        assert not stream.closed


async def test_observe_lets_everybody_in_and_says_who_would_be_refused(observer: Pod, client_name: str):
    """Once a minute for each client and reason; no token is in the log."""

    def counts() -> dict[str, int]:
        results = ("ok", "none", "invalid", "expired", "scope", "revoked")
        return {each: int(observer.metric(f'sse_auth_total{{mode="observe",result="{each}"}}')) for each in results}

    before = counts()
    expired = issue(client_name, -10)
    for headers in (
        {},
        bearer(expired),
        bearer(expired),
        bearer("a.b.c"),
        bearer(issue("other")),
        bearer(issue(client_name)),
    ):
        async with await open_stream(observer.port, client_name, headers=headers | READS_EVENTS):
            pass
    ends_at = time.time() + 0.5
    async with await open_stream(observer.port, client_name, headers=bearer(issue(client_name, exp=ends_at))) as stream:
        # The leeway, and a round of the pod.
        await eventually("the token to end", lambda: time.time() >= ends_at + 2.2)
        stream.parser.comments.clear()
        await stream.next_comment()
        assert not stream.closed, "no stream ends with its token"
    came = {result: count - before[result] for result, count in counts().items()}
    assert came == {"ok": 2, "none": 1, "invalid": 1, "expired": 2, "scope": 1, "revoked": 0}

    def lines() -> list[str]:
        return [line for line in observer.log.splitlines() if "[AUTH]" in line and client_name in line]

    # The last is of the stream that went on: it would have ended.
    await eventually("the last line", lambda: len(lines()) > 4)
    words = ["none", "expired", "invalid", "scope", "expired"]
    assert [f"({word})" in line for word, line in zip(words, lines(), strict=True)] == [True] * 5
    assert "would be refused its stream by STREAM_AUTH=required" in lines()[0]
    assert expired not in observer.log


def test_no_token_is_in_a_log(cluster: Cluster, client_name: str):
    given = issue(client_name, jti="looked-for")
    for headers in (bearer(given + "x"), {"Cookie": f"{COOKIE}={given}x"}):
        cluster.one.fetch(f"/events/{client_name}", headers=headers)
    cluster.one.wait_log(f"{client_name} was refused its stream (invalid)")
    assert given.split(".")[1] not in cluster.one.log
