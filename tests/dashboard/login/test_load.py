"""Strangers guess passwords while events are delivered: a short run of the benchmark, for what no machine changes."""

from __future__ import annotations

import pytest

from tests.benchmarks.passwords import EVENTS_PER_SECOND, measure
from tests.conftest import StartPod
from tests.support.marks import long
from tests.support.pods import PRODUCTION
from tests.support.redis_server import RedisServer

SECONDS, GUESSES = 2, 50


@pytest.mark.parametrize("spread", [long(False, "one account"), pytest.param(True, id="many accounts and addresses")])
async def test_every_event_comes_while_strangers_guess(
    start_pod: StartPod, mortal_redis: RedisServer, databases: list[str], spread: bool
):
    mortal_redis.start()
    pod = start_pod(**PRODUCTION, REDIS_URL=mortal_redis.url, DATABASE_URL=databases[0])
    measured = await measure(pod, mortal_redis, SECONDS, GUESSES, spread=spread)
    assert measured.before.events == measured.during.events == SECONDS * EVENTS_PER_SECOND
    assert measured.statuses.keys() == {200, 429}
    assert sum(measured.statuses.values()) == SECONDS * GUESSES
    assert measured.statuses[429] > measured.statuses[200]
