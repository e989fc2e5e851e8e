"""What became of a client, whichever pods had it: the same from each of them."""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import EventStream, open_response, open_stream
from tests.support.pods import CLOSING, TRACE, TRACING, Pod
from tests.support.redis_server import CHANNEL, RedisServer, event
from tests.support.waiting import wait_until

APPLICATION = "tests.support.applications.tracing:application"
Entry = dict[str, Any]


def start_pods(start_pod: StartPod, server: RedisServer, count: int = 2, trace_kept: int = 50) -> list[Pod]:
    pods = [
        start_pod(
            "daphne", application=APPLICATION, REDIS_URL=server.url, POD_NAME=f"pod-{number}", TRACE_KEPT=trace_kept
        )
        for number in range(1, count + 1)
    ]
    for pod in pods:
        pod.wait_log("Hearing the other pods")
    lives = f"{CHANNEL}:roster:pods"
    wait_until("all pods in the roster", lambda: int_of(server.client.hlen(lives)) >= count)
    return pods


def int_of(reply: Any) -> int:
    return int(reply)


def trace_of(pod: Pod, name: str) -> tuple[list[Entry], str]:
    said = pod.json(f"{TRACE}?name={name}")
    return said["entries"], said["sentence"]


def kinds(entries: list[Entry]) -> list[str]:
    return [entry["kind"] for entry in entries]


def wait_for(pod: Pod, name: str, *kinds_wanted: str) -> list[Entry]:
    """Wait until the last transitions of a client are of these kinds; they are written a moment later."""
    found: list[Entry] = []

    def there() -> bool:
        found[:] = [entry for entry in trace_of(pod, name)[0] if entry["kind"] not in ("event", "unanswered")]
        return kinds(found) == list(kinds_wanted)

    try:
        wait_until(f"{kinds_wanted} of {name}", there)
    except AssertionError:
        pytest.fail(f"{name} has {found}")
    return found


async def test_trace_of_a_client_that_moves_is_the_same_from_both_pods(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    one, two = start_pods(start_pod, mortal_redis)
    name = client_name
    first = await open_response(one.port, name, headers={"User-Agent": "till/7"})
    await first.next()
    mortal_redis.publish(event(name, 1))
    await first.until("evt-00000001")
    async with await open_response(two.port, name, headers={"Last-Event-ID": "evt-00000001"}) as second:
        assert [received.type for received in await first.rest()] == ["evicted"]
        mortal_redis.publish(event(name, 2))
        await second.until("evt-00000002")
        entries, sentence = trace_of(one, name)
        assert re.fullmatch(r"connected since [\d:]{8} on pod-2; 1 event since, 1 of them written", sentence)
        # The first was written to a stream that has ended: what pods remember does not say so.
        events = [(entry["eventId"], entry["fate"]) for entry in entries if entry["kind"] == "event"]
        assert events == [("evt-00000001", "remembered"), ("evt-00000002", "written")]
    wait_for(one, name, "opened", "opened", "evicted", "closed")
    for number in (3, 4):
        mortal_redis.publish(event(name, number))
    mortal_redis.publish(event(name, 5, ttlMs=1, timestamp=None))
    async with await open_response(one.port, name, headers={"Last-Event-ID": "never-was"}) as third:
        await third.until("evt-00000004")
    wait_for(one, name, "opened", "opened", "evicted", "closed", "opened", "gap", "replayed", "closed")
    mortal_redis.publish(event(name, 6, ttlMs=1, timestamp=None))
    mortal_redis.publish(event(name, 7))
    wait_until("the last event", lambda: '"evt-00000007"' in json.dumps(trace_of(two, name)[0]))

    entries, sentence = trace_of(one, name)
    assert (entries, sentence) == trace_of(two, name)
    moves = [entry for entry in entries if entry["kind"] != "event"]
    assert [entry["podName"] for entry in moves] == ["pod-1", "pod-2", "pod-1", "pod-2", *["pod-1"] * 4]
    opened, resumed, evicted, closed, again, gap, replayed, _ = moves
    assert opened["userAgent"] == "till/7"
    assert opened["address"].startswith("127.0.0.1:")
    assert resumed["lastEventId"] == "evt-00000001"
    assert (evicted["reason"], evicted["by"], evicted["events"]) == ("evicted", "pod-2", 1)
    assert evicted["stream"] == opened["stream"]
    assert (closed["reason"], closed["events"]) == ("client-closed", 1)
    assert closed["bytes"] > 100
    assert again["lastEventId"] == "never-was"
    assert gap["reason"] == "pod-started"
    assert "from" not in gap, "nobody knows when it began"
    assert gap["to"] < gap["at"]
    assert replayed["count"] == 5
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert "data" not in json.dumps(entries)
    assert re.fullmatch(
        r"offline since [\d:]{8}; last end: client-closed on pod-1; 2 events since, 1 of them expired", sentence
    )


async def test_trace_on_demand_says_what_each_pod_did_with_an_event(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    one, two = start_pods(start_pod, mortal_redis)
    name = client_name
    mortal_redis.publish(event(name, 1, data={"secret": "not to be seen"}))
    assert two.json(f"{TRACING}?name={name}&minutes=5") == {}
    assert int_of(mortal_redis.client.hlen(f"{CHANNEL}:tracing")) == 1

    stream = await open_stream(one.port, name)

    def is_noted(number: int, fate: str, pod: str) -> bool:
        found: Any = mortal_redis.client.xrange(f"{CHANNEL}:traced:{name}")
        entries = [json.loads(fields[b"entry"]) for _, fields in found]
        return any(
            (entry.get("eventId"), entry.get("fate"), entry["podName"]) == (f"evt-{number:08d}", fate, pod)
            for entry in entries
        )

    numbers = iter(range(2, 1000))

    def comes_to(fate: str, pod: str) -> int:
        published: list[int] = []

        def noted() -> bool:
            published.append(next(numbers))
            mortal_redis.publish(event(name, published[-1], data={"secret": "not to be seen"}))
            return any(is_noted(number, fate, pod) for number in published)

        wait_until(f"an event that is {fate} on {pod}", noted)
        return next(number for number in published if is_noted(number, fate, pod))

    comes_to("written", "pod-1")
    comes_to("unclaimed", "pod-2")
    # A pod that starts later knows it from Redis.
    three = start_pod("daphne", application=APPLICATION, REDIS_URL=mortal_redis.url, POD_NAME="pod-3")
    heard = comes_to("unclaimed", "pod-3")
    await stream.close()
    comes_to("unclaimed", "pod-1")
    mortal_redis.publish(event(name, 5000, deliverBy="2020-01-01T00:00:00Z"))
    wait_until("the expired one", lambda: is_noted(5000, "expired", "pod-1"))
    async with await open_stream(three.port, f"{name}?since=60"):
        wait_until("a replayed one", lambda: is_noted(heard, "replayed", "pod-3"))
    for key in (f"{CHANNEL}:trace:{name}", f"{CHANNEL}:traced:{name}"):
        assert b"not to be seen" not in repr(mortal_redis.client.xrange(key)).encode()
        assert 86_000 < int_of(mortal_redis.client.ttl(key)) <= 86_400
    assert two.json(f"{TRACING}?name={name}&minutes=0") == {}
    assert int_of(mortal_redis.client.exists(f"{CHANNEL}:tracing")) == 0


async def test_trace_on_demand_is_of_so_many_clients_at_most(start_pod: StartPod, mortal_redis: RedisServer):
    mortal_redis.start()
    (pod,) = start_pods(start_pod, mortal_redis, 1)
    for number in range(20):
        assert pod.json(f"{TRACING}?name=C-{number}&minutes=600") == {}
    assert "20 clients are traced already" in pod.json(f"{TRACING}?name=C-20&minutes=1")["error"]
    assert pod.json(f"{TRACING}?name=C-3&minutes=1") == {}, "one that is traced may be so for longer"
    assert 3_000 < int_of(mortal_redis.client.ttl(f"{CHANNEL}:tracing")) <= 3_660


async def test_client_is_closed_wherever_it_is(start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    mortal_redis.start()
    one, two = start_pods(start_pod, mortal_redis)

    async def closed_by(pod: Pod, stream: EventStream) -> None:
        assert pod.json(f"{CLOSING}?name={client_name}") == {}
        (farewell,) = await stream.rest()
        assert (farewell.type, farewell.json()["reason"]) == ("evicted", "operator")
        await stream.close()

    await closed_by(two, await open_stream(one.port, client_name))
    await closed_by(one, await open_stream(one.port, client_name))
    assert one.metric('sse_closes_total{reason="operator"}') == 2
    found = wait_for(two, client_name, "opened", "closed", "opened", "closed")
    assert found[-1]["reason"] == "operator"


async def test_trace_names_a_pod_that_was_killed_with_its_stream(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    one, two = start_pods(start_pod, mortal_redis)
    stream = await open_stream(one.port, client_name)
    wait_for(two, client_name, "opened")
    one.terminate(signal.SIGKILL)
    entries, sentence = trace_of(two, client_name)
    assert kinds(entries) == ["opened", "unanswered"]
    assert re.fullmatch(
        r"last known to be connected to pod-1 since [\d:]{8}, which does not answer; no event since", sentence
    )
    await stream.close()


async def test_trace_has_the_ends_of_a_pod_that_stops(start_pod: StartPod, mortal_redis: RedisServer, client_name: str):
    mortal_redis.start()
    (other,) = start_pods(start_pod, mortal_redis, 1)
    pod = start_pod(REDIS_URL=mortal_redis.url, POD_NAME="pod-2")
    async with await open_stream(pod.port, client_name):
        wait_for(other, client_name, "opened")
        pod.terminate()
        entries, sentence = trace_of(other, client_name)
        assert kinds(entries)[:2] == ["opened", "closed"]
        assert "last end: server-stopped on pod-2; no event since" in sentence


FLAPS = 100


def scripts_run(server: RedisServer) -> int:
    found: Any = server.client.info("commandstats")
    return int_of(found["cmdstat_evalsha"]["calls"])


def lines_of(pods: list[Pod], name: str) -> int:
    return sum(name in line for pod in pods for line in pod.log.splitlines())


async def test_trace_keeps_little_of_a_client_that_flaps(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    pods = start_pods(start_pod, mortal_redis, 2, trace_kept=30)
    lines, scripts = sum(len(pod.log.splitlines()) for pod in pods), scripts_run(mortal_redis)
    for number in range(FLAPS):
        await (await open_stream(pods[number % 2].port, client_name)).close()
    wait_until("the last end", lambda: not any(pod.connections() for pod in pods))
    # Each pod notes twenty in a minute, and that it left the others out.
    assert len(trace_of(pods[0], client_name)[0]) <= 32
    assert int_of(mortal_redis.client.xlen(f"{CHANNEL}:trace:{client_name}")) <= 30
    # Nobody fights for it, whatever came before what.
    assert sum(pod.metric('sse_closes_total{reason="duel"}') for pod in pods) == 0
    wait_until("the last lines", lambda: lines_of(pods, client_name) >= 2 * FLAPS)
    assert sum(len(pod.log.splitlines()) for pod in pods) - lines <= 2.2 * FLAPS
    # Claimed, released and noted, or less where it comes and goes at once; beside what pods do every second.
    assert scripts_run(mortal_redis) - scripts <= 5 * FLAPS


async def test_trace_that_redis_refuses_is_lost_and_the_claims_go_on(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    (pod,) = start_pods(start_pod, mortal_redis, 1)
    mortal_redis.client.set(f"{CHANNEL}:trace:{client_name}", "no stream")
    async with await open_stream(pod.port, client_name):
        pod.wait_log("The recorder's entries are lost: Redis refuses them")
        store = client_name.partition("-")[0]
        (here,) = mortal_redis.client.scan_iter(f"{CHANNEL}:roster:here:*:{store}")
        assert mortal_redis.client.hexists(here, client_name)


async def test_trace_is_kept_through_an_outage_of_redis(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    (pod,) = start_pods(start_pod, mortal_redis, 1)
    stream = await open_stream(pod.port, client_name)
    wait_for(pod, client_name, "opened")
    mortal_redis.kill()
    await stream.close()
    wait_until("the end of the stream", lambda: pod.connections() == 0)
    mortal_redis.start()
    # Redis forgot the opening.
    (closed,) = wait_for(pod, client_name, "closed")
    assert closed["reason"] == "client-closed"


async def test_trace_is_off_where_nothing_is_to_be_kept(
    start_pod: StartPod, mortal_redis: RedisServer, client_name: str
):
    mortal_redis.start()
    (pod,) = start_pods(start_pod, mortal_redis, 1, trace_kept=0)
    async with await open_stream(pod.port, client_name):
        wait_until("its claim", lambda: list(mortal_redis.client.scan_iter(f"{CHANNEL}:roster:known:*")))
        entries, sentence = trace_of(pod, client_name)
        assert kinds(entries) == ["opened"], "the pod itself knows of its streams"
        assert sentence.startswith("connected since")
    assert mortal_redis.client.exists(f"{CHANNEL}:trace:{client_name}") == 0
