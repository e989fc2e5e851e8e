"""What the tests share: a real Valkey, and pods as real processes."""

from __future__ import annotations

import functools
import gc
import itertools
import signal
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from streams.conf import StreamSettings, read_settings
from streams.doctor.keys import key_of
from tests.support.forking.client import forking
from tests.support.leaks.in_process import answers_searched
from tests.support.leaks.keys import search_keys
from tests.support.leaks.watch import watch
from tests.support.pods import ROOT, Pod, environment
from tests.support.redis_server import CHANNEL, RedisServer, running_redis

# How long an example takes says more about the machine than about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A test that ends a pod with open streams waits for their end only when that is what it is about.
DEFAULTS: dict[str, str | float] = {"POD_NAME": "pod-under-test", "DRAIN_SECONDS": 0}


class StartPod(Protocol):
    """Starts a pod with the given variables, and by default waits until it is ready."""

    def __call__(
        self, start: str = ..., *, ready: bool = ..., application: str | None = ..., **variables: str | float
    ) -> Pod: ...


def pytest_configure() -> None:
    """Let what the tests start be interrupted: a shell's background jobs ignore SIGINT, and so would their children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among thousands of collected tests, of which each stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look for secrets in what this process itself logged during a test."""
    report = yield
    for where, text in report.sections:
        if "log" in where:
            watch.search(f"the {where.lower()} of {item.name}", text)
    return report


@pytest.fixture(scope="session", autouse=True)
def secrets_kept() -> Iterator[None]:
    """Fail where a token, cookie, password or key was found after the last test, as pods that tests share ended."""
    with answers_searched():
        yield
    assert_secrets_kept()


@pytest.fixture(autouse=True)
def secrets_kept_by_test(secrets_kept: None) -> Iterator[None]:
    """Fail the test in whose run a token, cookie, password or key was found in a log, an answer or an output."""
    yield
    assert_secrets_kept()


def assert_secrets_kept() -> None:
    watch.search_logs()
    found = watch.take()
    assert found == [], "\n".join(found)


@pytest.fixture(scope="session", autouse=True)
def forked(secrets_kept: None) -> Iterator[None]:
    """Start pods and commands without each of them reading all libraries anew."""
    with forking(environment(), ROOT):
        yield


@pytest.fixture(scope="session")
def redis_server(secrets_kept: None) -> Iterator[RedisServer]:
    """A Valkey that stays up for all tests; one that must fail is `mortal_redis`."""
    with running_redis() as server:
        yield server
        names = [name.decode(errors="replace") for name in server.client.scan_iter(f"{CHANNEL}:*")]
        assert [name for name in names if key_of(CHANNEL, name) is None] == [], "declare it in streams/doctor/keys.py"
        search_keys(server.client)


@pytest.fixture
def conf(settings: Any, redis_server: RedisServer) -> StreamSettings:
    """Settings of this process that name the tests' own Redis."""
    conf = msgspec.structs.replace(read_settings({}), redis_url=redis_server.url)
    settings.STREAMS = conf
    return conf


@pytest.fixture
def mortal_redis() -> Iterator[RedisServer]:
    """A Valkey of the test's own, not yet started, to be stopped and started at will."""
    server = RedisServer()
    yield server
    server.kill()


@pytest.fixture
def lasting_redis() -> Iterator[RedisServer]:
    """A Valkey of the test's own, started, that keeps all that it acknowledges on disk."""
    with running_redis(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def client_name() -> str:
    """A client name that no other test has."""
    return f"TEST-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client_names(client_name: str) -> Callable[[int], list[str]]:
    """Make many client names that no other test has."""
    return lambda count: [f"{client_name}-{number:05d}" for number in range(count)]


@pytest.fixture
def start_pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPod]:
    """Start pods of the test's own; each ends with the test and must have logged no traceback."""
    yield from pod_starter(tmp_path_factory)


@pytest.fixture(scope="session")
def start_shared_pod(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPod]:
    """Start pods that outlive the test; they end before their Redis does."""
    yield from pod_starter(tmp_path_factory)


def pod_starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPod]:
    pods: list[Pod] = []
    logs = tmp_path_factory.mktemp("pods")
    numbers = itertools.count(1)

    def start_pod(
        start: str = "streamworker", *, ready: bool = True, application: str | None = None, **variables: str | float
    ) -> Pod:
        options: dict[str, Any] = {} if application is None else {"application": application}
        log_path = logs / f"{start}-{next(numbers)}.log"
        pod = Pod(start, log_path, environment(**{**DEFAULTS, **variables}), **options)
        pods.append(pod)
        if ready:
            pod.wait_ready()
        return pod

    yield start_pod
    try:
        for pod in pods:
            pod.terminate()
    finally:
        for pod in pods:
            if pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()
    for pod in pods:
        if not pod.may_log_tracebacks:
            pod.assert_no_traceback()


@pytest.fixture(scope="session")
def pods(start_shared_pod: StartPod, redis_server: RedisServer) -> Callable[[str], Pod]:
    """Give the pod that all tests share for one way to start it, started when first asked for."""
    return functools.cache(lambda start: start_shared_pod(start, REDIS_URL=redis_server.url, POD_NAME=f"pod-{start}"))


@pytest.fixture
def pod(pods: Callable[[str], Pod]) -> Pod:
    """The shared pod that `streamworker` started; a test may not end it or count all its connections."""
    return pods("streamworker")
