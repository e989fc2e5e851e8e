"""The samples of docs/howto/publish.md run, each in its language, against a real pod."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.db import transaction

from tests.docs.pages import DOCS
from tests.support.http import HOST, EventStream, fetch, open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.unsteady import Fault, forgetful, unsteady

PAGE = DOCS / "howto/publish.md"
SAMPLES = DOCS / "howto/samples"
RUN_SECONDS = 100.0


class Sample(NamedTuple):
    """A sample, and what runs it."""

    name: str
    command: tuple[str, ...]
    # What shows that the tool is there and can do it.
    proof: tuple[str, ...]


HTTP = [
    Sample("publish.sh", ("sh",), ("curl", "--fail-with-body", "--version")),
    Sample("publish.py", (sys.executable,), (sys.executable, "--version")),
    Sample("publish.mjs", ("node",), ("node", "--input-type=module", "--eval", "fetch")),
    Sample("publish.php", ("php",), ("php", "--version")),
    Sample("Publish.java", ("java",), ("javac", "--version")),
    Sample("publish.cs", ("dotnet", "run"), ("dotnet", "--version")),
    Sample("publish.go", ("go", "run"), ("go", "version")),
]


class Run(NamedTuple):
    """How a sample ended, and all that it wrote."""

    status: int
    text: str


class Lane:
    """A device's stream, and the pod that has it."""

    def __init__(self, pod: Pod, name: str, stream: EventStream) -> None:
        self.pod = pod
        self.name = name
        self.stream = stream

    async def events(self) -> list[Any]:
        """Return all that arrived, up to an event that is published now."""
        end = {"clientName": self.name, "action": "end"}
        answer = fetch(self.pod.port, "/api/v1/events", method="POST", body=str(end).replace("'", '"').encode())
        assert answer.status == 202
        found: list[Any] = []
        while (event := await self.stream.next_json())["action"] != "end":
            found.append(event)
        return found


@pytest.fixture
async def lane(pod: Pod, client_name: str) -> AsyncIterator[Lane]:
    async with await open_stream(pod.port, client_name) as stream:
        yield Lane(pod, client_name, stream)


async def run(*words: str, **variables: str) -> Run:
    """Run a program to its end."""
    env = {**os.environ, "ADMIN_TOKEN": "any-token-in-development", **variables}
    process = await asyncio.create_subprocess_exec(
        *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(RUN_SECONDS):
        text, _ = await process.communicate()
    assert process.returncode is not None
    return Run(process.returncode, text.decode())


async def publish(sample: Sample, url: str, *arguments: str) -> Run:
    """Run a sample; the test is skipped where nothing on this machine can."""
    tool, *options = sample.proof
    if not shutil.which(tool) or not shutil.which(sample.command[0]):
        pytest.skip(f"{sample.name} is run by {sample.command[0]}, which is not installed")
    proof = await run(tool, *options)
    if proof.status:
        pytest.skip(f"{sample.name} needs a newer {tool}: {proof.text}")
    return await run(*sample.command, str(SAMPLES / sample.name), *arguments, SSE_URL=url)


def is_signature(event: dict[str, Any], lane: str) -> bool:
    """Say whether an event is what all samples publish."""
    return (
        event.items()
        >= {
            "clientName": lane,
            "action": "signature",
            "eventId": f"signature-TXN-{lane}",
            "ttlMs": 60_000,
            "data": {"transactionId": f"TXN-{lane}", "amount": 99.99},
        }.items()
    )


samples = pytest.mark.parametrize("sample", HTTP, ids=[sample.name for sample in HTTP])


@samples
async def test_sample_publishes_one_event_that_arrives(sample: Sample, lane: Lane):
    done = await publish(sample, f"http://{HOST}:{lane.pod.port}", lane.name, f"TXN-{lane.name}")
    assert done.status == 0, done.text
    assert "accepted" in done.text
    (event,) = await lane.events()
    assert is_signature(event, lane.name)


@samples
async def test_sample_publishes_once_where_its_first_answers_are_no_answers(sample: Sample, lane: Lane):
    # For curl a connection that is cut is no passing fault.
    second = Fault.TAKEN if sample.name == "publish.sh" else Fault.CUT
    with unsteady(lane.pod.port, Fault.TAKEN, second) as door:
        done = await publish(sample, door.url, lane.name, f"TXN-{lane.name}")
        bodies = {body for _path, _status, body in door.served}
        statuses = [status for _path, status, _body in door.served]
        assert not door.faults
    assert done.status == 0, done.text
    assert statuses == [503, 503, 202] if second is Fault.TAKEN else [503, 202]
    assert len(bodies) == 1
    (event,) = await lane.events()
    assert is_signature(event, lane.name)


@samples
async def test_sample_ends_at_once_with_the_sentence_of_a_refusal(sample: Sample, lane: Lane):
    with unsteady(lane.pod.port) as door:
        done = await publish(sample, door.url, "NO NAME", "TXN-1")
        assert [status for _path, status, _body in door.served] == [400]
    assert done.status != 0
    assert "clientName" in done.text
    assert "characters of A-Z" in done.text
    assert await lane.events() == []


async def test_sample_with_redis_publishes_once_where_its_answer_gets_lost(lane: Lane, redis_server: RedisServer):
    port = redis_server.port
    with forgetful(port, b"XADD") as way:
        url = f"redis://{HOST}:{way.server_address[1]}"
        name = str(SAMPLES / "publish_redis.py")
        done = await run(sys.executable, name, lane.name, f"TXN-{lane.name}", REDIS_URL=url)
        assert way.cut
    assert done.status == 0, done.text
    assert re.fullmatch(r"\d+-\d+\n", done.text)
    (event,) = await lane.events()
    assert is_signature(event, lane.name)


@pytest.fixture
def ask_for_signature(monkeypatch: pytest.MonkeyPatch, pod: Pod) -> Callable[[Any], None]:
    """The function of the sample for Django, as it stands in a project beside the one for Python."""
    monkeypatch.setenv("SSE_URL", f"http://{HOST}:{pod.port}")
    # It blocks the loop of a test, which has nothing else to do meanwhile.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    monkeypatch.syspath_prepend(str(SAMPLES))
    for name in ("publish", "publish_django"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import publish_django  # type: ignore[import-not-found]

    function: Callable[[Any], None] = publish_django.ask_for_signature
    return function


def sale_of(lane: Lane, saved: list[str]) -> Any:
    sale = SimpleNamespace(pk=f"TXN-{lane.name}", lane=lane.name, amount=Decimal("99.99"), state="open")
    sale.save = lambda: saved.append(sale.state)
    return sale


@pytest.mark.django_db(transaction=True)
async def test_sample_for_django_publishes_after_the_commit(ask_for_signature: Callable[[Any], None], lane: Lane):
    saved: list[str] = []
    with transaction.atomic():
        ask_for_signature(sale_of(lane, saved))
        assert await lane.events() == []
    assert saved == ["signing"]
    (event,) = await lane.events()
    assert is_signature(event, lane.name)


@pytest.mark.django_db(transaction=True)
async def test_sample_for_django_publishes_nothing_that_was_rolled_back(
    ask_for_signature: Callable[[Any], None], lane: Lane
):
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        ask_for_signature(sale_of(lane, []))
        raise ZeroDivisionError
    assert await lane.events() == []


def test_page_shows_every_sample_as_it_runs():
    shown = dict(re.findall(r"(?ms)^<!-- samples/(\S+) -->\n```\w+\n(.*?)^```$", PAGE.read_text()))
    assert shown == {path.name: path.read_text() for path in SAMPLES.iterdir() if path.is_file()}
