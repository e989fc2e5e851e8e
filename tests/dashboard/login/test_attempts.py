from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from pytest_django import Settings

from dashboard.login import attempts as module
from dashboard.login import shared
from dashboard.login.attempts import PER_ACCOUNT, PER_ADDRESS, PER_PAIR, WINDOW_SECONDS, Attempts, network_of
from tests.support.redis_server import RedisServer


class Now:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def new_pod(redis_server: RedisServer, settings: Settings, client_name: str) -> Callable[[], Attempts]:
    """Make the counts of pods that share a Redis, with keys that no other test has."""
    settings.STREAMS = msgspec.structs.replace(
        settings.STREAMS, redis_url=redis_server.url, redis_channel=f"attempts-{client_name}"
    )
    return Attempts


async def taken(attempts: Attempts, times: int, account: str = "operator", address: str = "10.0.0.1") -> list[bool]:
    return [not await attempts.take(account, address) for _ in range(times)]


async def test_attempts_of_an_account_from_an_address_are_counted_over_all_pods(new_pod: Callable[[], Attempts]):
    pods = [new_pod(), new_pod()]
    for number in range(PER_PAIR):
        assert not await pods[number % 2].take("operator", "10.0.0.1")
    for pod in pods:
        assert 0 < await pod.take("operator", "10.0.0.1") <= WINDOW_SECONDS
        assert await pod.take("Operator", "10.0.0.1") > 0, "the same account, whatever the case"
    assert not await pods[0].take("operator", "10.0.0.2"), "an operator at another address can still log in"


async def test_an_address_may_not_go_through_all_accounts(new_pod: Callable[[], Attempts]):
    pod = new_pod()
    took = [not await pod.take(f"operator-{number}", "10.0.0.1") for number in range(PER_ADDRESS + 5)]
    assert took == [True] * PER_ADDRESS + [False] * 5


async def test_an_account_may_not_be_tried_from_everywhere(new_pod: Callable[[], Attempts]):
    pod = new_pod()
    took = [not await pod.take("operator", f"10.0.1.{number}") for number in range(PER_ACCOUNT + 5)]
    assert took == [True] * PER_ACCOUNT + [False] * 5


async def test_a_login_forgives_what_led_to_it(new_pod: Callable[[], Attempts]):
    pod, other = new_pod(), new_pod()
    assert all(await taken(pod, PER_PAIR))
    await pod.forgive("operator", "10.0.0.1")
    assert all(await taken(other, PER_PAIR))


async def test_over_the_limit_redis_is_not_asked_again(
    new_pod: Callable[[], Attempts], monkeypatch: pytest.MonkeyPatch
):
    pod = new_pod()
    await taken(pod, PER_PAIR + 1)

    def fail() -> None:
        raise AssertionError("Redis was asked")

    monkeypatch.setattr(shared, "client", fail)
    assert await pod.take("operator", "10.0.0.1")


async def test_without_redis_a_pod_counts_alone_and_forgets_after_the_window(no_redis: None):
    now = Now()
    attempts = Attempts(now)
    assert await taken(attempts, PER_PAIR + 1) == [True] * PER_PAIR + [False]
    now.seconds += WINDOW_SECONDS - 1
    assert await attempts.take("operator", "10.0.0.1") == pytest.approx(1)
    now.seconds += 1
    assert not await attempts.take("operator", "10.0.0.1")


async def test_what_strangers_make_up_is_not_remembered_without_a_bound(
    no_redis: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "COUNTS_KEPT", 30)
    attempts = Attempts()
    for number in range(50):
        await attempts.take("x" * 100_000 + str(number), "\udcff" * number)
    assert len(attempts._counts) == 30


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("unix:/run/x", "unix:/run/x"),
    ],
)
def test_network_of(address: str, network: str):
    assert network_of(address) == network
