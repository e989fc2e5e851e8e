"""A machine that loses its power or its line says nothing; its stream is given up in time all the same."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import DEFAULTS
from tests.support.http import PATIENCE_SECONDS, open_response, open_stream, request_bytes
from tests.support.pods import Pod, environment
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

# STREAMS_TEST_DEAD_PEERS=full waits for the 45 s of the defaults.
FULL = os.environ.get("STREAMS_TEST_DEAD_PEERS", "") == "full"
DEAD = 'sse_closes_total{reason="dead-peer"}'

# Opens streams from where it runs and reads whatever comes, for as long as it lives.
DEVICES = """
import selectors, socket, sys
address, port, requests = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
waiting = selectors.DefaultSelector()
for request in requests:
    device = socket.create_connection((address, port), 10)
    device.sendall(bytes.fromhex(request))
    assert b'"connected"' in device.recv(65536)
    waiting.register(device, selectors.EVENT_READ)
print("open", flush=True)
while True:
    for key, _ in waiting.select():
        if not key.fileobj.recv(65536):
            waiting.unregister(key.fileobj)
"""


class Far:
    """A network of its own behind a cable, which the test can make swallow everything."""

    def __init__(self, name: str, subnet: str) -> None:
        self.name = name
        self.near_address, self.address = f"{subnet}.1", f"{subnet}.2"

    def build(self, cleanup: ExitStack) -> None:
        """Make the network; raise OSError or CalledProcessError where that is not allowed."""
        near, far = f"{self.name}n", f"{self.name}f"
        ip("netns", "add", self.name)
        cleanup.callback(ip, "netns", "del", self.name)
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
        ip("addr", "add", f"{self.near_address}/24", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", far)
        ip("-n", self.name, "link", "set", far, "up")

    def swallow_everything(self) -> None:
        """Let all packets to and from the far side vanish, while the cable still looks sound."""
        ip("neigh", "replace", self.address, "lladdr", self._hardware(), "nud", "permanent", "dev", f"{self.name}n")
        ip("-n", self.name, "addr", "flush", "dev", f"{self.name}f")

    def _hardware(self) -> str:
        words = ip("-n", self.name, "link", "show", f"{self.name}f").split()
        return words[words.index("link/ether") + 1]


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10).stdout


@pytest.fixture
def far() -> Iterator[Far]:
    if shutil.which("ip") is None:
        pytest.skip("makes a network namespace, and there is no `ip` here")
    # A network of the same name may still be on its way out, here or in another run.
    number = random.randrange(50 * 250)
    network = Far(f"sse{number}", f"10.{200 + number % 50}.{number // 50}")
    with ExitStack() as cleanup:
        try:
            network.build(cleanup)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "")
            pytest.skip(f"makes a network namespace, which is not allowed here: {error} {said}")
        yield network


@pytest.fixture
def devices(far: Far) -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def open_far(far: Far, pod: Pod, names: list[str]) -> subprocess.Popen[str]:
    """Open streams from the far side; return once all of them have read `connected`."""
    requests = [request_bytes("GET", f"/events/{name}").hex() for name in names]
    process = subprocess.Popen(
        ["ip", "netns", "exec", far.name, sys.executable, "-c", DEVICES, far.near_address, str(pod.port), *requests],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


@pytest.fixture
def far_pod(far: Far, tmp_path: Path, redis_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[Pod]:
    """A pod that can be reached from the far side, with the variables of the test's parameter."""
    env = environment(**{**DEFAULTS, "REDIS_URL": redis_server.url, **request.param})
    pod = Pod("streamworker", tmp_path / "pod.log", env, host="0.0.0.0")
    try:
        pod.wait_ready()
        yield pod
        pod.terminate()
    finally:
        if pod.process.poll() is None:
            pod.process.kill()
            pod.process.wait()
    pod.assert_no_traceback()


SHORT = {"HEARTBEAT_SECONDS": 3, "DEAD_AFTER_SECONDS": 3}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("far_pod", "within_seconds"),
    [
        pytest.param(SHORT, 6.0, id="3 s + 3 s"),
        pytest.param(
            {}, 45.0, id="the defaults", marks=pytest.mark.skipif(not FULL, reason="STREAMS_TEST_DEAD_PEERS=full")
        ),
    ],
    indirect=["far_pod"],
)
async def test_a_silent_machine_is_given_up(
    far: Far,
    far_pod: Pod,
    devices: list[subprocess.Popen[str]],
    redis_server: RedisServer,
    within_seconds: float,
):
    # For one half of them there are events meanwhile, and for the other half nothing.
    busy = [f"BUSY-{number:02d}" for number in range(20)]
    names = [*busy, *(f"IDLE-{number:02d}" for number in range(20))]
    devices.append(open_far(far, far_pod, names))
    async with await open_stream(far_pod.port, "NEAR") as near:
        assert far_pod.connections() == len(names) + 1
        began = time.monotonic()
        far.swallow_everything()
        gone: dict[str, float] = {}
        while len(gone) < len(names):
            redis_server.publish_all(b'{"clientName":"%b","data":"%b"}' % (name.encode(), b"x" * 50) for name in busy)
            listed = {one["clientName"] for one in far_pod.json("/admin/connections")["connections"]}
            seconds = time.monotonic() - began
            gone |= {name: seconds for name in names if name not in listed and name not in gone}
            assert seconds < within_seconds + 5, f"still listed: {sorted(listed)}"
            await asyncio.sleep(0.05)
        assert max(gone.values()) <= within_seconds
        assert far_pod.metric(DEAD) == len(names)
        for name in names:
            far_pod.wait_log(f"Client {name} disconnected (dead-peer)")
        # The one that lives has outlasted that time, with nothing to read but heartbeats.
        redis_server.publish(event("NEAR", 7))
        await near.until("evt-00000007", timeout=PATIENCE_SECONDS)
    await eventually("all to be gone", lambda: far_pod.connections() == 0, timeout=2)
    ordered = sorted(gone.values())
    print(f"gone after {ordered[0]:.1f} to {ordered[-1]:.1f} s of {within_seconds:g}")


@pytest.mark.parametrize("far_pod", [{"STALL_SECONDS": 2}], indirect=True)
async def test_a_dead_machine_is_not_called_a_slow_reader(
    far: Far, far_pod: Pod, devices: list[subprocess.Popen[str]], redis_server: RedisServer
):
    """Events that nobody acknowledges fill its backlog long before the next heartbeat finds it dead."""
    devices.append(open_far(far, far_pod, ["FAR"]))
    far.swallow_everything()
    began = time.monotonic()
    # More than the kernel takes and less than MAX_BACKLOG_BYTES.
    redis_server.publish_all(b'{"clientName":"FAR","data":"%b"}' % (b"x" * 15_000) for _ in range(10))
    await eventually("it to be gone", lambda: far_pod.connections() == 0, timeout=10)
    far_pod.wait_log("Client FAR disconnected (dead-peer)")
    assert far_pod.metric(DEAD) == 1
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("far_pod", [{"DUEL_LIMIT": 1}], indirect=True)
async def test_a_name_that_a_silent_machine_has_is_given_to_who_asks_for_it(
    far: Far, far_pod: Pod, devices: list[subprocess.Popen[str]]
):
    """A device whose line was lost comes back more often than two devices may, and has its name within 5 s."""
    devices.append(open_far(far, far_pod, ["ROAMING"] * 2))
    assert far_pod.metric('sse_closes_total{reason="evicted"}') == 1
    far.swallow_everything()
    began = time.monotonic()
    async with await open_stream(far_pod.port, "ROAMING"):
        assert time.monotonic() - began < 5
        assert far_pod.metric(DEAD) == 1
        assert far_pod.metric('sse_closes_total{reason="duel"}') == 0
        far_pod.wait_log("Client ROAMING disconnected (dead-peer)")
        # One that answers keeps its name.
        async with await open_response(far_pod.port, "ROAMING") as refused:
            assert [received.json()["reason"] for received in await refused.rest()] == ["duel"]
