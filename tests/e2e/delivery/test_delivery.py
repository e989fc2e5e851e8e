"""Events reach the client that they name, from the moment at which it has read `connected`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from tests.support.http import EventStream, close_all, open_response, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

CONNECTS = 1000
AT_ONCE = 50


async def test_misses_nothing_published_after_connected(
    pod: Pod, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    received: list[str] = []
    names = iter(client_names(CONNECTS))

    async def connect_in_turn() -> None:
        for name in names:
            async with await open_stream(pod.port, name) as stream:
                redis_server.publish(event(name))
                received.append((await stream.next_json())["clientName"])

    await asyncio.gather(*(connect_in_turn() for _ in range(AT_ONCE)))
    assert len(set(received)) == CONNECTS


async def test_keeps_the_order_and_gives_each_client_its_own(
    pod: Pod, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    names = client_names(10)
    streams = [await open_stream(pod.port, name) for name in names]
    redis_server.publish_all(json.dumps(event(name, number)) for number in range(200) for name in names)
    for name, stream in zip(names, streams, strict=True):
        got = [await stream.next_json() for _ in range(200)]
        assert got == [event(name, number) for number in range(200)]
        await stream.close()


async def test_delivers_an_event_of_the_largest_size(pod: Pod, redis_server: RedisServer, client_name: str):
    largest = event(client_name, data="")
    largest["data"] = "x" * (256 * 1024 - len(json.dumps(largest)))
    assert len(json.dumps(largest)) == 256 * 1024
    async with await open_stream(pod.port, client_name) as stream:
        redis_server.publish(largest)
        assert await stream.next_json() == largest


async def test_names_are_case_sensitive(pod: Pod, redis_server: RedisServer, client_name: str):
    async with (
        await open_stream(pod.port, client_name.upper()) as upper,
        await open_stream(pod.port, client_name.lower()) as lower,
    ):
        redis_server.publish(event(client_name.lower(), 1))
        redis_server.publish(event(client_name.upper(), 2))
        assert (await lower.next_json())["eventId"] == "evt-00000001"
        assert (await upper.next_json())["eventId"] == "evt-00000002"


async def test_counts_what_a_client_received(pod: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(pod.port, client_name) as stream:
        for number in range(3):
            redis_server.publish(event(client_name, number))
            await stream.next_json()
        found = pod.json(f"/admin/client/{client_name}")
        assert found["client"]["eventCount"] == 3
        assert found["client"]["isAlive"] is True
        assert found["client"]["lastActivity"] >= found["client"]["connectedAt"]


async def test_retry_is_drawn_anew_for_each_connection(pod: Pod, client_names: Callable[[int], list[str]]):
    delays = set()
    for name in client_names(20):
        async with await open_stream(pod.port, name) as stream:
            delays.add(stream.parser.retry_ms)
    assert len(delays) > 10, f"twenty clients would come back together: {delays}"


async def evicted_and_ended(stream: EventStream) -> None:
    events = await stream.rest()
    assert [farewell.type for farewell in events] == ["evicted"]
    farewell = events[0].json()
    assert farewell["type"] == "evicted"
    assert {"podName", "timestamp"} <= farewell.keys()
    assert stream.ended, "the response is to end, not to be cut"


async def test_a_newer_connection_evicts_the_older(pod: Pod, redis_server: RedisServer, client_name: str):
    old = await open_stream(pod.port, client_name)
    new = await open_stream(pod.port, client_name)
    await evicted_and_ended(old)
    # The pod has long known of the old one's end; now its client closes too.
    await old.close()
    redis_server.publish(event(client_name, 1))
    assert (await new.next_json())["eventId"] == "evt-00000001"
    await new.close()
    await eventually("the client to be gone", lambda: pod.status(f"/admin/client/{client_name}") == 404, timeout=2)


async def test_the_end_of_an_old_connection_never_removes_the_newer(
    pod: Pod, redis_server: RedisServer, client_name: str
):
    for number in range(50):
        name = f"{client_name}-{number}"
        # The old client's end and the new client's request reach the pod in one moment, in either order.
        old = await open_stream(pod.port, name)
        opening = asyncio.ensure_future(open_stream(pod.port, name))
        if number % 2:
            await asyncio.sleep(0)
        old.reset()
        new = await opening
        redis_server.publish(event(name, number))
        assert (await new.next_json())["eventId"] == f"evt-{number:08d}"
        await new.close()


async def test_of_200_at_once_exactly_one_stays(pod: Pod, redis_server: RedisServer, client_name: str):
    streams = await asyncio.gather(*(open_response(pod.port, client_name) for _ in range(200)))

    async def read(stream: EventStream) -> list[str]:
        types = []
        while (received := await stream.next(60)) is not None:
            types.append(received.last_event_id or received.type)
            if received.last_event_id == "evt-final":
                break
        return types

    reading = [asyncio.ensure_future(read(stream)) for stream in streams]
    await eventually("199 to have ended", lambda: sum(task.done() for task in reading) == 199)
    listed = [one for one in pod.json("/admin/connections")["connections"] if one["clientName"] == client_name]
    assert len(listed) == 1
    redis_server.publish(event(client_name, eventId="evt-final"))
    ends = [tuple(await task) for task in reading]
    assert ends.count(("message", "evt-final")) == 1, "one stays, and it receives"
    others = [end for end in ends if "evt-final" not in end]
    assert len(others) == 199
    # Whoever was greeted is evicted; a name that many fight for may be refused without a greeting.
    assert all(end[-1] != "message" and end[:-1] in ((), ("message",)) for end in others), set(others)
    await close_all(streams)
