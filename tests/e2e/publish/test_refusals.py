"""Who may not publish, and what is told when Redis fails."""

from __future__ import annotations

import json
import re
import signal
import socket
import time

from tests.conftest import StartPod
from tests.e2e.publish.asking import EVENTS, JSON, TOKEN, journal, new_id, post, problem
from tests.support.http import HOST, close_all, fetch, open_stream, parse_answer, request_bytes
from tests.support.pods import PRODUCTION
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


async def test_in_production(start_pod: StartPod, redis_server: RedisServer, client_name: str):
    """A stranger may not publish; the token may, as much as PUBLISH_RATE says, and while the pod drains."""
    pod = start_pod(
        REDIS_URL=redis_server.url,
        ADMIN_TOKEN=TOKEN,
        PUBLISH_RATE=1,
        PUBLISH_DOOR="channel",
        DRAIN_SECONDS=600,
        **{**PRODUCTION, "PUBLISH_AUTH": "required"},
    )
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    said = {"clientName": client_name, "action": "payment"}
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        for path, body in (("", said), ("/batch", {"events": [said]})):
            answer = post(pod, body, path, headers)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            problem(answer, "unauthorized")
        assert fetch(pod.port, f"{EVENTS}/a", headers=headers).status == 401
    # A pod that drains sends one away a second.
    others = [await open_stream(pod.port, f"{client_name}-{number}") for number in range(8)]
    async with await open_stream(pod.port, client_name) as stream:
        first = post(pod, {"events": [{**said, "data": 1}, {**said, "data": 2}]}, "/batch", bearer)
        assert first.status == 202
        assert first.headers["ratelimit-policy"] == '"publish";q=1;w=1'
        assert re.fullmatch(r'"publish";r=0;t=[12]', first.headers["ratelimit"])
        assert [event["durable"] for event in first.json()["events"]] == [False, False]
        refused = post(pod, said, headers=bearer)
        assert (refused.status, problem(refused, "rate-limited")["status"]) == (429, 429)
        assert refused.headers["ratelimit-policy"] == '"publish";q=1;w=1'
        wait = int(refused.headers["retry-after"])
        assert refused.headers["ratelimit"] == f'"publish";r=0;t={wait}'
        assert [(await stream.next_json())["data"] for _ in range(2)] == [1, 2]
        refused_at = time.monotonic()
        pod.process.send_signal(signal.SIGTERM)
        wait_until("the drain to begin", lambda: pod.json("/health")["status"] == "draining")
        wait_until("Retry-After to be over", lambda: time.monotonic() > refused_at + wait)
        assert post(pod, {**said, "data": 3}, headers=bearer).status == 202, "a pod that drains publishes"
        assert (await stream.next_json())["data"] == 3
        pod.process.send_signal(signal.SIGTERM)
    await close_all(others)


async def test_redis_that_fails(start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    """What is told, and that to send it again is safe: one event, which is delivered once."""
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url, PUBLISH_CONCURRENCY=1)
    said = {"clientName": client_name, "action": "payment", "eventId": new_id()}
    async with await open_stream(pod.port, client_name) as stream:
        assert post(pod, {**said, "eventId": "first"}).status == 202
        mortal_redis.freeze()
        with socket.create_connection((HOST, pod.port), 20) as connection:
            body = json.dumps(said).encode()
            connection.sendall(request_bytes("POST", EVENTS, {**JSON, "Connection": "close"}, body))
            busy = post(pod, {**said, "eventId": "second"})
            assert (busy.status, busy.headers["retry-after"]) == (503, "1")
            assert "PUBLISH_CONCURRENCY" in problem(busy, "overloaded")["detail"]
            doubtful = parse_answer(b"".join(iter(lambda: connection.recv(65536), b"")))
        assert (doubtful.status, doubtful.headers["retry-after"]) == (503, "1")
        detail = problem(doubtful, "redis-unavailable")["detail"]
        assert "may have been taken" in detail
        assert "same eventId or Idempotency-Key is safe" in detail
        mortal_redis.thaw()
        wait_until("the same request to be taken", lambda: post(pod, said).status == 202)
        assert post(pod, said).headers["idempotent-replayed"] == "true"
        last = {**said, "eventId": "last"}
        assert post(pod, last).status == 202
        assert [event["eventId"] for event in journal(mortal_redis, client_name)] == ["first", said["eventId"], "last"]
        assert [(await stream.next_json())["eventId"] for _ in range(3)] == ["first", said["eventId"], "last"]
        mortal_redis.kill()
        # What goes out on a connection whose end is not seen yet may have arrived.
        wait_until("its end to be seen", lambda: b"Nothing was published: " in post(pod, last).body)
        for path, asked in (("", said), ("/batch", {"events": [said]})):
            answer = post(pod, asked, path)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert problem(answer, "redis-unavailable")["detail"].startswith("Nothing was published: ")
        assert fetch(pod.port, f"{EVENTS}/last").status == 503
        mortal_redis.start()
        wait_until("it to be taken", lambda: post(pod, last).status == 202)
        assert len(journal(mortal_redis, client_name)) == 1
