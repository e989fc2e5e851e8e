"""The front door of the Kubernetes manifests: a real HAProxy that finds real pods by their addresses in DNS."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from deploy.front_door import PATHS
from tests.deploy.clusters import pod_at
from tests.deploy.files import DEPLOY, load, tool
from tests.support.http import HOST, PATIENCE_SECONDS, fetch, open_response, open_stream
from tests.support.leaks.programs import Program
from tests.support.redis_server import RedisServer, event, free_port
from tests.support.waiting import POLL_SECONDS, eventually

CONFIGURATION = DEPLOY / "k8s" / "components" / "front-door" / "haproxy.cfg"
NAME = "sse-redis-pods.sse-redis.svc.cluster.local"
# Any address of 127.0.0.0/8 is this machine's on Linux, so pods have one port and addresses of their own.
ADDRESSES = ("127.0.0.2", "127.0.0.3")
ALL_HOMES = {"front-door", *(f"pod-{address}" for address in ADDRESSES)}


class NameServer:
    """Answers every question for an address with those that it was given."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Wakes the thread, though a socket without a peer says that it cannot.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if query:
                self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        """Build a reply (RFC 1035, section 4); HAProxy asks one question at a time."""
        end = query.index(b"\0", 12) + 5
        of_ipv4 = query[end - 4 : end] == b"\0\1\0\1"
        addresses = self.addresses if of_ipv4 else []
        head = query[:2] + b"\x81\x80\0\1" + len(addresses).to_bytes(2) + b"\0\0\0\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4"
        return head + query[12:end] + b"".join(record + socket.inet_aton(address) for address in addresses)


@contextmanager
def front_door(names: NameServer, port: int, pod_port: int, log_path: Path) -> Iterator[None]:
    """Run the HAProxy of the manifests, with local addresses."""
    text = CONFIGURATION.read_text()
    text = text.replace("bind :3000", f"bind {HOST}:{port}")
    text = text.replace("parse-resolv-conf", f"nameserver test {HOST}:{names.port}")
    path = log_path.with_suffix(".cfg")
    path.write_text(text)
    variables = os.environ | {"PODS": f"{NAME}:{pod_port}", "PATH": PATHS}
    process = Program("haproxy", ["haproxy", "-W", "-db", "-f", str(path)], variables, log_path=log_path)
    try:
        process.wait_answer(port, "/front-door/health")
        yield
    finally:
        process.stop()


async def homes(port: int, names: list[str]) -> set[str]:
    """Return who greets these clients: pods, or the front door itself."""
    found = set()
    for name in names:
        stream = await open_response(port, name)
        first = await stream.next()
        assert first is not None
        found.add(first.json()["podName"])
        await stream.close()
    return found


async def wait_homes(port: int, names: list[str], expected: set[str]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await homes(port, names)) != expected:
            assert found <= expected | ALL_HOMES
            await asyncio.sleep(POLL_SECONDS)


async def test_the_front_door_finds_pods_that_come_and_go(
    tmp_path: Path, redis_server: RedisServer, client_names: Callable[[int], list[str]]
):
    tool("haproxy", "the package haproxy")
    port, pod_port, names = free_port(), free_port(), NameServer()
    # With two pods in the ring, that all of these are one pod's is unlikely.
    clients = client_names(20)
    with ExitStack() as running:
        running.callback(names.close)
        running.enter_context(front_door(names, port, pod_port, tmp_path / "haproxy"))
        assert await homes(port, clients) == {"front-door"}

        with ExitStack() as pods:
            for number, address in enumerate(ADDRESSES):
                variables = {"REDIS_URL": redis_server.url, "POD_NAME": f"pod-{address}", "TRUSTED_PROXIES": HOST}
                pods.enter_context(pod_at(pod_port, tmp_path / f"pod-{number}", address, **variables))
            names.addresses = list(ADDRESSES)
            await wait_homes(port, clients, {f"pod-{address}" for address in ADDRESSES})
            async with await open_stream(port, clients[0]) as stream:
                redis_server.publish(event(clients[0], 1))
                assert await stream.next_json() == event(clients[0], 1)
            await eventually("a pod for /register", lambda: fetch(port, "/register").status == 405)
            assert [fetch(port, path).status for path in ("/metrics", "/admin", "/health")] == [404, 403, 403]

            names.addresses = [ADDRESSES[1]]
            await wait_homes(port, clients, {f"pod-{ADDRESSES[1]}"})
        # It tries the last address that it knows for some seconds.
        await wait_homes(port, clients[:1], {"front-door"})


def test_the_configuration_is_that_of_haproxy_but_for_its_servers():
    def without_servers(text: str) -> str:
        text = re.sub(r"\A(#.*\n)+", "", text)
        return re.sub(r"(?m)^    server(-template)? .*\n", "", text)

    assert without_servers(CONFIGURATION.read_text()) == without_servers((DEPLOY / "haproxy/haproxy.cfg").read_text())


def test_the_front_door_has_a_place_for_every_pod():
    """One more while pods are rolled out."""
    most = load("k8s/base/horizontalpodautoscaler.yaml")["spec"]["maxReplicas"]
    places = re.findall(r'(?m)^    server-template pod- (\d+) "\$\{PODS\}"', CONFIGURATION.read_text())
    assert len(places) == 3
    assert {int(count) for count in places} == {most + 1}
