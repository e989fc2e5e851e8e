"""What a machine does to a pod: it sets the clock, reads no log, has few descriptors, or starts it without any."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DEFAULTS
from tests.support.http import HOST, EventStream, close_all, open_stream
from tests.support.marks import long
from tests.support.pods import Pod, environment, run_manage
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually, wait_until

JOURNAL = "events-to-store:log"
STREAMS = 20
# A probe of Kubernetes waits for a second.
PROBE_SECONDS = 1.0


class PodOnMachine(Pod):
    """A pod whose command line a test wraps."""

    def __init__(self, before: list[str], log_path: Path, **variables: str | float) -> None:
        self._before = before
        super().__init__("streamworker", log_path, environment(**{**DEFAULTS, **variables}))

    def command(self, **options: str) -> list[str]:
        return [*self._before, *super().command(**options)]


@contextlib.contextmanager
def ended(pod: Pod) -> Iterator[Pod]:
    """End a pod with the block."""
    try:
        yield pod
    finally:
        if pod.running:
            pod.process.kill()
            pod.process.wait()


async def open_lanes(pod: Pod) -> list[EventStream]:
    return [await open_stream(pod.port, f"LANE-{number:02d}") for number in range(STREAMS)]


async def assert_delivered(redis_server: RedisServer, lanes: list[EventStream], number: int) -> None:
    """Publish an event for each lane on the channel, and one in the journal; each lane gets both and no other."""
    for lane in range(len(lanes)):
        redis_server.publish(event(f"LANE-{lane:02d}", number))
        redis_server.client.xadd(JOURNAL, {"event": b'{"clientName":"LANE-%02d","eventId":"log-%d"}' % (lane, number)})
    for stream in lanes:
        ids = set()
        for _ in range(2):
            received = await stream.next(timeout=5)
            assert received is not None, "the stream ended"
            assert received.type == "message", received
            ids.add(received.last_event_id)
        assert ids == {f"evt-{number:08d}", f"log-{number}"}


def assert_probes_answer(pod: Pod) -> None:
    for path in ("/health/live", "/health/ready", "/health"):
        assert pod.fetch(path, timeout=PROBE_SECONDS).status == 200, path


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGUSR1, id="two hours forward"), long(signal.SIGUSR2, "two hours back")]
)
async def test_a_clock_that_is_set_changes_no_stream(number: signal.Signals, mortal_redis: RedisServer, tmp_path: Path):
    mortal_redis.start()
    # Before `manage.py`, so that this module runs it.
    before = [sys.executable, "-m", "tests.support.applications.set_clock"]
    pod = ClockPod(before, tmp_path / "pod.log", REDIS_URL=mortal_redis.url, HEARTBEAT_SECONDS=1, MAX_STREAM_SECONDS=60)
    with ended(pod):
        pod.wait_ready()
        lanes = await open_lanes(pod)
        await assert_delivered(mortal_redis, lanes, 1)
        descriptors = pod.ps.num_fds()
        pod.process.send_signal(number)
        await eventually("the pod to say that its clock was set", lambda: pod.metric("sse_clock_steps_total") == 1)
        refused = socket.create_connection((HOST, pod.port), 5)
        refused.sendall(b"no request\r\n\r\n")
        for stream in lanes:
            for _ in range(2):
                assert (await stream.next_comment(timeout=3)).startswith("heartbeat")
        await assert_delivered(mortal_redis, lanes, 2)
        assert_probes_answer(pod)
        assert 0 <= pod.json("/health")["uptime"] < 60
        connection = pod.json("/admin/client/LANE-00")["client"]
        assert 0 <= connection["uptime"] < 60

        # Who comes back misses nothing and is told of nothing.
        await lanes[0].close()
        mortal_redis.publish(event("LANE-00", 3))
        lanes[0] = await open_stream(pod.port, "LANE-00", headers={"Last-Event-ID": "evt-00000002"})
        await lanes[0].until("evt-00000003")
        await assert_delivered(mortal_redis, lanes, 4)

        # The server's own timers too: this one has five seconds.
        await eventually("the refused client to be closed", lambda: pod.ps.num_fds() <= descriptors, timeout=10)
        refused.close()
        assert pod.metric('sse_closes_total{reason="max-life"}') == 0
        await close_all(lanes)
        assert pod.terminate() == 0
        pod.assert_no_traceback()
        (seconds,) = re.findall(r"this pod was up for (\S+) s", pod.log)
        assert 0 <= float(seconds) < 60


class ClockPod(PodOnMachine):
    """One whose command is run by a module of the tests in place of manage.py."""

    def command(self, **options: str) -> list[str]:
        _python, _manage, *rest = Pod.command(self, **options)
        return [*self._before, *rest]


class UnreadPod(PodOnMachine):
    """One whose log is a pipe, which the test reads when it says so."""

    def __init__(self, log_path: Path, **variables: str | float) -> None:
        os.mkfifo(log_path)
        self.reads = os.open(log_path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.reads, fcntl.F_SETPIPE_SZ, 4096)
        super().__init__([], log_path, **variables)

    @property
    def log(self) -> str:
        """Read what is there now."""
        read = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.reads, 65536):
                read += data
        return read.decode()


async def test_a_log_that_nobody_reads_stops_nothing(mortal_redis: RedisServer, tmp_path: Path):
    mortal_redis.start()
    pod = UnreadPod(tmp_path / "pod.log", REDIS_URL=mortal_redis.url, LOG_LEVEL="debug", HEARTBEAT_SECONDS=1)
    with ended(pod):
        pod.wait_ready()
        lanes = await open_lanes(pod)
        for _ in range(100):
            async with await open_stream(pod.port, "PASSING"):
                pass
        assert_probes_answer(pod)
        # A line for each event, until no more of them find room.
        mortal_redis.publish_all([b'{"clientName":"NOBODY-%d"}' % number for number in range(20_000)])
        await eventually("lines to be dropped", lambda: pod.metric("sse_log_lines_dropped_total") > 0)
        assert_probes_answer(pod)
        await assert_delivered(mortal_redis, lanes, 1)
        for stream in lanes:
            assert (await stream.next_comment(timeout=3)).startswith("heartbeat")

        seen = ""

        def flows_again() -> bool:
            nonlocal seen
            seen += pod.log
            return "line(s) of this log were dropped here" in seen

        await eventually("the log to tell what it lost", flows_again)
        assert "[SERVER] SSE Server started" in seen, "the oldest lines are kept"
        told = sum(map(int, re.findall(r"(\d+) line\(s\) of this log were dropped here", seen)))
        assert 0 < told <= pod.metric("sse_log_lines_dropped_total")
        assert not re.search(r"(?m)^(?!\S+Z \[|$)", seen.rpartition("\n")[0]), "lines are whole"
        # Nobody reads from now on either, and the end waits for nobody for long.
        await close_all(lanes)
        began = time.monotonic()
        assert pod.terminate() == 0
        assert time.monotonic() - began < 8
    os.close(pod.reads)


async def test_the_last_lines_come_out_though_the_log_is_read_late(mortal_redis: RedisServer, tmp_path: Path):
    mortal_redis.start()
    pod = UnreadPod(tmp_path / "pod.log", REDIS_URL=mortal_redis.url)
    with ended(pod):
        pod.wait_ready()
        for _ in range(100):
            async with await open_stream(pod.port, "PASSING"):
                pass
        pod.process.send_signal(signal.SIGTERM)
        seen = ""

        def is_over() -> bool:
            nonlocal seen
            seen += pod.log
            return not pod.running

        await eventually("the pod to end", is_over)
        seen += pod.log
        assert " [SERVER] Stopped;" in seen.rstrip().splitlines()[-1]
        assert seen.count("Registered PASSING") == 100
    os.close(pod.reads)


DESCRIPTORS, SILENT = 256, 500


async def test_silent_connections_take_no_descriptor_of_probes(mortal_redis: RedisServer, tmp_path: Path):
    mortal_redis.start()
    limited = ["/bin/sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$@"', "sh"]
    pod = PodOnMachine(limited, tmp_path / "pod.log", REDIS_URL=mortal_redis.url)
    with ended(pod), contextlib.ExitStack() as stack:
        pod.wait_ready()
        lanes = await open_lanes(pod)
        silent = [stack.enter_context(socket.create_connection((HOST, pod.port), 5)) for _ in range(SILENT)]
        for number in range(1, 4):
            for client in silent[:SILENT:2]:
                # Half a request is as good as none.
                with contextlib.suppress(OSError):
                    client.send(b"G")
            assert_probes_answer(pod)
            await assert_delivered(mortal_redis, lanes, number)
            assert pod.ps.num_fds() <= DESCRIPTORS - 4, "what the pod itself needs is left"
        late = await open_stream(pod.port, "LATE")
        await late.close()
        assert mortal_redis.subscribers() == 1
        assert pod.metric("sse_redis_outages_total") == 0
        pod.wait_log("to make room for others (ulimit -n is 256)")
        await close_all(lanes)
        assert pod.terminate() == 0
        pod.assert_no_traceback()


async def test_idle_connections_are_left_alone_where_there_is_room(mortal_redis: RedisServer, tmp_path: Path):
    mortal_redis.start()
    pod = PodOnMachine([], tmp_path / "pod.log", REDIS_URL=mortal_redis.url)
    resource.prlimit(pod.process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    with ended(pod), contextlib.ExitStack() as stack:
        pod.wait_ready()
        silent = [stack.enter_context(socket.create_connection((HOST, pod.port), 5)) for _ in range(SILENT)]
        assert_probes_answer(pod)
        for client in silent:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for client in silent:
            client.settimeout(10)
            assert client.recv(15) == b"HTTP/1.1 200 OK"


CLOSED = ["/bin/sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]


async def test_a_pod_without_standard_descriptors_writes_no_log_into_a_socket(
    mortal_redis: RedisServer, tmp_path: Path
):
    mortal_redis.start()
    pod = PodOnMachine(CLOSED, tmp_path / "pod.log", REDIS_URL=mortal_redis.url, LOG_LEVEL="debug")
    with ended(pod):
        pod.wait_ready()
        files = Path(f"/proc/{pod.process.pid}/fd")
        assert [(files / str(number)).readlink() for number in range(3)] == [Path(os.devnull)] * 3
        lanes = await open_lanes(pod)
        await assert_delivered(mortal_redis, lanes, 1)
        assert_probes_answer(pod)
        await close_all(lanes)
        assert pod.terminate() == 0


def test_a_command_without_standard_descriptors_still_says_by_its_status_how_it_ended(tmp_path: Path):
    """Here a value that cannot be used, of which there is nobody to tell."""
    pod = PodOnMachine(CLOSED, tmp_path / "pod.log", MAX_CONNECTIONS="many")
    with ended(pod):
        wait_until("the command to end", lambda: not pod.running)
        assert pod.process.returncode == 1


def test_a_port_that_is_taken_is_told_once_and_with_what_to_do(redis_server: RedisServer):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        finished = run_manage("streamworker", "--port", str(port), env=environment(REDIS_URL=redis_server.url))
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == (
        f"CommandError: Port {port} on {HOST} cannot be used: Address already in use. "
        "Stop what listens there, or choose another with PORT or --port."
    )
