"""Whatever a message holds: an answer everywhere, no traceback, nobody left behind, and the next event arrives."""

from __future__ import annotations

import itertools
import json
import re
import string
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.conftest import StartPod
from tests.support.http import fetch, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

FIELDS = ("eventId", "timestamp", "ttlMs", "deliverBy", "action", "data", "clientName", "surplus")
# 20 events, each of at most 16 KiB, in a page of HTML.
MOST_PAGE_BYTES = 500_000
# No example is made smaller: what a pod answers depends on what came before.
ANY = settings(
    max_examples=20,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def messages_pod(start_shared_pod: StartPod, redis_server: RedisServer) -> Iterator[Pod]:
    """A pod for the odd messages of this file, which must have told of none in a traceback."""
    # Large events come in bursts here, and none of their readers is to count as slow.
    pod = start_shared_pod(
        REDIS_URL=redis_server.url, REDIS_CHANNEL="any-message", POD_NAME="pod-any", MAX_BACKLOG_BYTES=2**24
    )
    yield pod
    assert pod.metric("sse_redis_outages_total") == 0, "no message is to cost the subscription"
    pod.assert_no_traceback()


surrogates = st.text(st.characters() | st.characters(categories=["Cs"])).map(json.dumps)
any_number = st.from_regex(r"\A-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?\Z")
any_json = st.recursive(
    st.sampled_from(["null", "true", "false", "1e999", "9" * 5000, "[" * 900 + "]" * 900]) | any_number | surrogates,
    lambda inner: st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]"),
    max_leaves=4,
)
any_fields = st.dictionaries(st.sampled_from(FIELDS), any_json, min_size=1)


def publish(redis_server: RedisServer, messages: list[bytes]) -> None:
    """Publish each through both ingresses, in one transaction: a pod reads them at once."""
    pipeline = redis_server.client.pipeline()
    for message in messages:
        pipeline.publish("any-message", message)
        pipeline.xadd("any-message:log", {"event": message})
    pipeline.execute()


def assert_all_well(pod: Pod, name: str) -> None:
    """Ask for all that shows a client: each answers, with a bounded page."""
    for path in (f"/admin/clients/{name}", "/admin", "/admin/connections", "/health", "/metrics"):
        answer = fetch(pod.port, path)
        assert answer.status == 200, f"{path}: {answer}"
        assert len(answer.body) < MOST_PAGE_BYTES, path


@ANY
@given(any_fields)
@example({"data": "1e999"})
@example({"eventId": '"caf\\ud83d"', "ttlMs": "1e999", "timestamp": "9" * 5000})
@example({"data": f'"{"x" * 200_000}"', "action": f'"{"y" * 50_000}"'})
async def test_any_json_value_in_any_field_harms_nothing(
    messages_pod: Pod, redis_server: RedisServer, fields: dict[str, str]
):
    name = f"FIELDS-{next(numbers)}"
    text = ",".join(f'"{key}":{value}' for key, value in ({"clientName": json.dumps(name)} | fields).items())
    message = f"{{{text}}}".encode()
    async with await open_stream(messages_pod.port, name) as stream:
        publish(redis_server, [message, json.dumps(event(name, 1)).encode()])
        data: list[str] = []
        while not data or '"evt-00000001"' not in data[-1]:
            received = await stream.next()
            assert received is not None, messages_pod.log
            data.append(received.data)
    expired = "deliverBy" in fields or "ttlMs" in fields
    assert "clientName" in fields or expired or message.decode() in data, "what JSON allows goes through as it is"
    await eventually("the registry to be empty", lambda: messages_pod.metric("sse_connections") == 0)
    async with await open_stream(messages_pod.port, f"{name}?since=60") as stream:
        await stream.until("evt-00000001")
    await eventually("the registry to be empty", lambda: messages_pod.metric("sse_connections") == 0)
    assert_all_well(messages_pod, name)


any_bytes = st.binary(max_size=200) | st.binary(max_size=20).map(b'{"clientName":"BYTES","x":"%b"}'.__mod__)


@ANY
@given(st.lists(any_bytes))
@example([b"[" * 100_000, b'{"clientName":"BYTES","data":' + b"[" * 1500 + b"]" * 1500 + b"}", b"\xff", b""])
async def test_any_bytes_as_a_message_harm_nothing(messages_pod: Pod, redis_server: RedisServer, messages: list[bytes]):
    number = next(numbers)
    async with await open_stream(messages_pod.port, "BYTES") as stream:
        publish(redis_server, [*messages, json.dumps(event("BYTES", number)).encode()])
        await stream.until(f"evt-{number:08d}")
    await eventually("the registry to be empty", lambda: messages_pod.metric("sse_connections") == 0)
    assert_all_well(messages_pod, "BYTES")


printable = st.text(string.printable[:95], min_size=1, max_size=128).filter(lambda text: text == text.strip(" "))


@ANY
@given(printable)
@example("~" * 128)
@example("a  b")
@example('"\\')
@example("%20?&#")
@example(",;=:")
async def test_any_printable_id_comes_back_through_a_header(
    messages_pod: Pod, redis_server: RedisServer, event_id: str
):
    """Each id that a client reads it can send back, and it then gets what came after it and nothing else."""
    name = f"IDS-{next(numbers)}"
    async with await open_stream(messages_pod.port, name) as stream:
        first = {"clientName": name, "eventId": event_id}
        redis_server.client.publish("any-message", json.dumps(first))
        received = await stream.next()
        assert received is not None
        assert received.last_event_id == event_id
    redis_server.client.publish("any-message", json.dumps(event(name, 2)))
    async with await open_stream(messages_pod.port, name, headers={"Last-Event-ID": received.last_event_id}) as stream:
        redis_server.client.publish("any-message", json.dumps(event(name, 3)))
        following = [await stream.next() for _ in range(2)]
    assert [each and each.last_event_id for each in following] == ["evt-00000002", "evt-00000003"]


async def test_a_burst_of_bad_messages_ends_with_its_count_in_the_log(start_pod: StartPod, redis_server: RedisServer):
    """By a timer: no other bad message comes."""
    pod = start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL="burst")
    redis_server.publish_all([b"nonsense"] * 50, "burst")
    redis_server.publish_all([b'{"clientName":"A B"}'] * 5, "burst")
    await eventually("50 unusable ones in the log", lambda: skipped(pod, "unusable message") == 50)
    await eventually("5 bad names in the log", lambda: skipped(pod, "event") == 5)
    pod.wait_log("clientName holds ' ': 'A B'")


def skipped(pod: Pod, what: str) -> int:
    """Add up the counts of the lines about one kind of bad message."""
    return sum(map(int, re.findall(rf"Skipped (\d+) {what}\(s\)", pod.log)))


@pytest.mark.parametrize("value", ["1e999", "[" * 900 + "]" * 900, '"caf\\ud83d"', f"[{'1,' * 99_999}1]"], ids=len)
async def test_pages_of_a_client_are_bounded_and_answer(messages_pod: Pod, redis_server: RedisServer, value: str):
    name = f"PAGES-{next(numbers)}"
    received = messages_pod.metric("sse_events_received_total")
    publish(redis_server, [f'{{"clientName":"{name}","n":{number},"data":{value}}}'.encode() for number in range(20)])
    await eventually("all events", lambda: messages_pod.metric("sse_events_received_total") == received + 40)
    assert_all_well(messages_pod, name)
    assert fetch(messages_pod.port, f"/admin/clients/{name}").body.count(b"<li") >= 20
