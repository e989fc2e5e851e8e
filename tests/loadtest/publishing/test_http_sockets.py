"""Load tests that publish over HTTP, to a real pod."""

from __future__ import annotations

import pytest

from loadtest.errors import LoadTestError
from loadtest.plan import Plan
from loadtest.publishing.http_sockets import HttpSockets, length_of
from loadtest.running import LoadTest
from tests.conftest import StartPod
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, free_port


def plan_for(pod: Pod, server: RedisServer, http: int, prefix: str = "HTTP") -> Plan:
    url = f"http://127.0.0.1:{pod.port}"
    return Plan(url=url, redis_url=server.url, connections=20, rate=200, seconds=0.5, http=http, prefix=prefix)


@pytest.mark.parametrize("events", [1, 30])
def test_all_events_are_published_and_read(pod: Pod, redis_server: RedisServer, events: int):
    """The last request may hold fewer."""
    result = LoadTest(plan_for(pod, redis_server, events), lambda *_: None).run()
    assert result.faults() == []
    assert (result.published, result.acknowledged, result.read) == (100, 100, 100)


def test_a_refusal_is_told(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, HTTP_API="off")
    with pytest.raises(LoadTestError, match=r"The pod refused to publish: HTTP/1\.1 404 Not Found"):
        LoadTest(plan_for(pod, redis_server, 1), lambda *_: None).run()


def test_a_pod_that_is_not_there_is_told(redis_server: RedisServer):
    plan = Plan(url=f"http://127.0.0.1:{free_port()}", redis_url=redis_server.url, http=1)
    with pytest.raises(LoadTestError, match="The pod cannot be reached to publish"):
        HttpSockets(plan)


def test_length_of():
    assert length_of(b"HTTP/1.1 202 Accepted\r\nA: b\r\nContent-length: 12\r\nC: d") == 12
