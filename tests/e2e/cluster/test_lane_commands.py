"""The commands that ask about lanes, beside a cluster of two pods."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, fetch, open_stream
from tests.support.pods import ROOT, Pod, environment, run_manage
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

channels = itertools.count(1)
NAMES = ["STORE001-LANE01", "STORE001-LANE02", "STORE002-LANE01"]


class Shop:
    """Two pods with a client on each, and one that has left."""

    def __init__(self, pods: list[Pod], env: dict[str, str]) -> None:
        self.pods = pods
        self.env = env
        self.streams: list[EventStream] = []

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_manage(*arguments, env=self.env)

    def lines(self, *arguments: str) -> list[str]:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def objects(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self.lines(*arguments, "--json")]

    def state(self, name: str) -> str:
        answer = fetch(self.pods[0].port, f"/api/v1/clients/{name}")
        return str(answer.json()["state"]) if answer.status == 200 else ""


@pytest.fixture
async def shop(start_pod: StartPod, redis_server: RedisServer) -> AsyncIterator[Shop]:
    url, channel = redis_server.url, f"lane-commands-{next(channels)}"
    pods = [start_pod(ready=False, REDIS_URL=url, REDIS_CHANNEL=channel, POD_NAME=name) for name in ("pod-a", "pod-b")]
    for pod in pods:
        pod.wait_ready()
        pod.wait_log("Hearing the other pods")
    shop = Shop(pods, environment(REDIS_URL=url, REDIS_CHANNEL=channel))
    for place, name in enumerate(NAMES):
        shop.streams.append(await open_stream(pods[place % 2].port, name, headers={"User-Agent": "Till 3"}))
    await shop.streams.pop().close()
    wait_until("the roster", lambda: [shop.state(name) for name in NAMES] == ["connected", "connected", "offline"])
    yield shop
    await close_all(shop.streams)


async def test_lanes(shop: Shop):
    found = [line.split() for line in shop.lines("lanes")]
    assert [(words[0], words[1], words[4]) for words in found] == [
        (NAMES[0], "connected", "pod-a"),
        (NAMES[1], "connected", "pod-b"),
        (NAMES[2], "offline", "pod-a"),
    ]
    assert shop.run("lanes").stderr == "3 lanes\n"
    assert [lane["clientName"] for lane in shop.objects("lanes", "--store", "STORE001")] == NAMES[:2]
    # Which lanes are in a state is summed up once a second.
    wait_until("the one that has left", lambda: shop.objects("lanes", "--state", "offline"))
    assert [lane["clientName"] for lane in shop.objects("lanes", "--state", "offline")] == NAMES[2:]
    nothing = shop.run("lanes", "--state", "missing", "--json")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "")


async def test_lane(shop: Shop):
    first, *others = shop.lines("lane", NAMES[1])
    assert first.startswith(f"{NAMES[1]} is connected on pod-b since 20")
    assert "  expected  no" in others
    assert any(line.startswith("  device    127.0.0.1:") and line.endswith(" Till 3") for line in others)
    assert others[-1].startswith("connected since ")
    (gone,) = shop.objects("lane", NAMES[2])
    assert (gone["client"]["state"], gone["client"]["lastReason"]) == ("offline", "client-closed")
    assert [entry["kind"] for entry in gone["transitions"]] == ["opened", "closed"]
    assert "last end: client-closed on pod-a" in gone["sentence"]


async def test_trace(shop: Shop):
    *entries, sentence = shop.lines("trace", NAMES[2], "--minutes", "5")
    assert [line.split()[1:3] for line in entries] == [["opened", "pod-a"], ["closed", "pod-a"]]
    assert sentence.startswith("offline since ")
    *said, end = shop.objects("trace", NAMES[2])
    assert [(entry["kind"], entry["podName"]) for entry in said] == [("opened", "pod-a"), ("closed", "pod-a")]
    assert end == {"sentence": sentence}


async def test_trace_that_is_followed(shop: Shop):
    """It says what comes, with its fate, until Ctrl-C."""
    await asyncio.to_thread(follow, shop)


def follow(shop: Shop) -> None:
    command = [sys.executable, "manage.py", "trace", NAMES[0], "--follow"]
    with subprocess.Popen(command, cwd=ROOT, env=shop.env, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline().split()[1] == "opened"
        done = shop.run("publish_event", NAMES[0], "payment", "--event-id", "evt-followed")
        assert done.returncode == 0
        line = following.stdout.readline()
        assert "eventId=evt-followed action=payment" in line
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0


@pytest.mark.parametrize("command", ["lane", "trace"])
async def test_name_that_was_never_seen(shop: Shop, command: str):
    for name, meant in (("store001-lane01", f" Did you mean {NAMES[0]}?"), ("NOBODY", "")):
        done = shop.run(command, name)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == f"CommandError: No client {name} is known.{meant}\n"
    done = shop.run("lanes", "--store", "STORE01")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("CommandError: No lane of a store STORE01 is known. Did you mean STORE00")


@pytest.mark.parametrize("arguments", [["lanes"], ["lane", "A"], ["trace", "A"]])
def test_redis_that_is_away(arguments: list[str]):
    done = run_manage(*arguments, env=environment(REDIS_URL="redis://:secret@127.0.0.1:1"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: Redis on 127.0.0.1:1 gives no answer")
    assert (done.stderr.count("\n"), "secret" in done.stderr) == (1, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["lane"],
        ["lane", "a b"],
        ["trace", "A", "--minutes", "0"],
        ["trace", "A", "-m", "1441"],
        ["lanes", "--state", "x"],
    ],
)
def test_arguments_that_are_wrong(arguments: list[str]):
    done = run_manage(*arguments, env=environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: manage.py" in done.stderr
