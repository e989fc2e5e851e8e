"""The command `publish_event` with --url: through the API of a pod, where no Redis can be reached."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import HOST, EventStream, fetch, open_stream
from tests.support.pods import PRODUCTION, Pod, environment, run_manage
from tests.support.redis_server import RedisServer, free_port
from tests.support.unsteady import Fault, unsteady

TOKEN = "only-for-tests-" + "t" * 32


async def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process that has no Redis."""
    env = environment(REDIS_PORT=free_port(), **variables)
    return await asyncio.to_thread(run_manage, "publish_event", *arguments, env=env, stdin=stdin)


def url_of(pod: Pod) -> str:
    return f"http://{HOST}:{pod.port}"


def lines_of(client_name: str, count: int, **fields: Any) -> str:
    each = {"clientName": client_name, "action": "alert", **fields}
    return "".join(json.dumps({**each, "data": number}) + "\n" for number in range(count))


async def data_up_to(stream: EventStream, end: str) -> list[Any]:
    """Return the `data` of all events before the one with this id."""
    found: list[Any] = []
    while True:
        event = await stream.next_json()
        if event["eventId"] == end:
            return found
        found.append(event["data"])


async def say_the_end(pod: Pod, client_name: str) -> None:
    """Publish what comes after all that was published before."""
    body = json.dumps({"clientName": client_name, "action": "alert", "eventId": f"end-{client_name}"}).encode()
    assert fetch(pod.port, "/api/v1/events", method="POST", body=body).status == 202


async def arrived(pod: Pod, stream: EventStream, client_name: str) -> list[Any]:
    """Return the `data` of all that arrived, and nothing comes twice after it."""
    await say_the_end(pod, client_name)
    return await data_up_to(stream, f"end-{client_name}")


async def test_an_event_arrives_and_its_client_is_known(pod: Pod, client_name: str):
    stream = await open_stream(pod.port, client_name)
    done = await run(client_name, "status", "--data", '{"paper":"low"}', "--strict", "--url", url_of(pod))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        rf"\[PUBLISHED\] status to {client_name}: evt-\w{{16}}, in the journal as \d+-\d+; "
        r"its client is connected to pod-streamworker; delivery is not known\n",
        done.stdout,
    )
    assert (await stream.next_json())["data"] == {"paper": "low"}


async def test_json_says_where_the_client_is(pod: Pod, client_name: str):
    await open_stream(pod.port, client_name)
    done = await run(client_name, "alert", "2", "--json", "--url", url_of(pod))
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({each["eventId"] for each in said}) == 2
    assert {each["client"]["state"] for each in said} == {"connected"}
    assert {each["receivers"] for each in said} == {None}


async def test_a_client_that_is_not_there_is_told(pod: Pod, client_name: str):
    done = await run(client_name, "alert", "--url", url_of(pod))
    assert done.returncode == 0, "it was published"
    assert "its client is offline" in done.stdout
    assert "for 1 of 1 event(s) no client was connected" in done.stderr
    assert (await run(client_name, "alert", "--strict", "--url", url_of(pod))).returncode == 3


async def test_the_deadline_goes_with_it(pod: Pod, client_name: str):
    stream = await open_stream(pod.port, client_name)
    arguments = ("--ttl-ms", "60000", "--deliver-by", "2100-01-01T00:00:00Z", "--event-id", "evt-1")
    assert (await run(client_name, "alert", *arguments, "--url", url_of(pod))).returncode == 0
    event = await stream.next_json()
    assert (event["ttlMs"], event["deliverBy"], event["eventId"]) == (60_000, "2100-01-01T00:00:00Z", "evt-1")


async def test_a_file_goes_in_requests_of_500_in_its_order(pod: Pod, client_name: str):
    stream = await open_stream(pod.port, client_name)
    with unsteady(pod.port) as door:
        done = await run("--file", "-", "--json", "--url", door.url, stdin=lines_of(client_name, 1_100))
        paths = [path for path, _status, _body in door.served]
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1_100
    assert paths == ["/api/v1/events/batch"] * 3
    assert await arrived(pod, stream, client_name) == list(range(1_100))


@pytest.mark.parametrize("count", [1, 3], ids=["one", "batch"])
@pytest.mark.parametrize("faults", [[each] for each in list(Fault)[1:]] + [[Fault.TAKEN, Fault.CUT, Fault.REFUSED]])
async def test_another_attempt_publishes_once(pod: Pod, client_name: str, faults: list[Fault], count: int):
    stream = await open_stream(pod.port, client_name)
    with unsteady(pod.port, *faults) as door:
        done = await run("--file", "-", "--url", door.url, stdin=lines_of(client_name, count))
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == len(faults)
    assert done.stderr.count("Trying again.") == len(faults)
    assert await arrived(pod, stream, client_name) == list(range(count))


async def test_what_was_published_is_said_where_it_ends_early(pod: Pod, client_name: str):
    with unsteady(pod.port, Fault.NONE, *[Fault.REFUSED] * 5) as door:
        done = await run("--file", "-", "--url", door.url, stdin=lines_of(client_name, 600))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 500
    assert done.stderr.splitlines()[-1].endswith(
        "busy, 5 times. 500 of 600 event(s) were published, those of lines 501 to 600 may have been, "
        "and the others were not."
    )


async def test_an_event_that_may_have_been_published_has_its_id_told(pod: Pod, client_name: str):
    with unsteady(pod.port, *[Fault.TAKEN] * 5) as door:
        done = await run(client_name, "alert", "--event-id", "evt-7", "--url", door.url)
    assert done.returncode == 1
    assert done.stderr.endswith("It may have been published: to do so again with --event-id evt-7 is safe.\n")


async def test_nothing_at_an_address_is_one_line():
    port = free_port()
    done = await run("A", "alert", "--url", f"http://{HOST}:{port}")
    assert done.returncode == 1
    assert done.stderr == (
        f"CommandError: http://{HOST}:{port} gives no answer (Connection refused). Is it running there?\n"
    )


async def test_a_wrong_line_is_named_and_nothing_is_sent(pod: Pod, client_name: str):
    with unsteady(pod.port) as door:
        lines = lines_of(client_name, 2) + '{"clientName":"A","action":"alert","ttl":5}\n'
        done = await run("--file", "-", "--url", door.url, stdin=lines)
        assert door.served == []
    assert done.returncode == 2
    assert "line 3: There is no field 'ttl' here. Did you mean ttlMs? Nothing was published." in done.stderr


async def test_what_only_the_pod_can_refuse_is_said_with_its_line(pod: Pod, client_name: str):
    line = {"clientName": client_name, "action": "alert", "eventId": f"evt-{client_name}"}
    assert (await run("--file", "-", "--url", url_of(pod), stdin=json.dumps(line))).returncode == 0
    lines = "\n".join(json.dumps(each) for each in ({**line, "eventId": "evt-other"}, {**line, "data": "another"}))
    done = await run("--file", "-", "--url", url_of(pod), stdin=lines)
    assert done.returncode == 2
    assert f"answered 422: line 2: eventId 'evt-{client_name}' was published before" in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_who_must_be_online_and_is_not_is_status_3(pod: Pod, client_name: str):
    line = {"clientName": client_name, "action": "alert", "requireOnline": True}
    done = await run("--file", "-", "--url", url_of(pod), stdin=json.dumps(line))
    assert done.returncode == 3
    assert f"answered 409: line 1: {client_name} is not connected (offline); nothing was published." in done.stderr


async def test_a_path_that_is_not_the_service_is_told(pod: Pod):
    done = await run("A", "alert", "--url", f"{url_of(pod)}/shop")
    assert done.returncode == 2
    assert "/shop answered 404: There is nothing at /shop/api/v1/events." in done.stderr


async def test_check_publishes_nothing_and_asks_for_the_client(pod: Pod, client_name: str):
    with unsteady(pod.port) as door:
        done = await run(client_name, "alert", "--ttl-ms", "60", "--check", "--url", door.url)
        assert [path for path, _status, _body in door.served] == [f"/api/v1/clients/{client_name}"]
    assert done.returncode == 0
    assert done.stdout.startswith(f"alert to {client_name} would be taken, to be delivered until 2")
    assert "Warning: ttlMs counts milliseconds: 60 is 0.06 s. Did you mean 60000?" in done.stderr
    assert f"Warning: No client {client_name} is known." in done.stderr
    async with await open_stream(pod.port, client_name):
        done = await run(client_name, "alert", "--check", "--json", "--url", url_of(pod))
    assert json.loads(done.stdout)["client"]["state"] == "connected"


async def test_production_asks_for_a_token(start_pod: StartPod, redis_server: RedisServer, tmp_path: Path):
    pod = start_pod(**{**PRODUCTION, "PUBLISH_AUTH": "required"}, REDIS_URL=redis_server.url, ADMIN_TOKEN=TOKEN)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    refused = await run("A", "alert", "--url", url_of(pod))
    assert refused.returncode == 2
    assert "answered 401: it is not known who asks. ADMIN_TOKEN" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    by_file = await run("A", "alert", "--url", url_of(pod), "--token-file", str(tmp_path / "token"))
    by_variable = await run("A", "alert", "--url", url_of(pod), ADMIN_TOKEN=TOKEN)
    wrong = await run("A", "alert", "--url", url_of(pod), ADMIN_TOKEN=TOKEN[::-1])
    assert [by_file.returncode, by_variable.returncode, wrong.returncode] == [0, 0, 2]
    assert TOKEN[::-1] not in wrong.stderr + wrong.stdout
