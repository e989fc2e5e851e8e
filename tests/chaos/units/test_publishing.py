"""Publishers know of each event whether Redis took it, did not, or may have."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.chaos.publishing import JOURNAL, Ledger, Publisher, Traffic
from tests.chaos.running import Plan
from tests.chaos.verdict import Ingress
from tests.support.redis_server import CHANNEL, RedisServer

ALL = [Ingress.CHANNEL, Ingress.JOURNAL, Ingress.BOTH]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def publisher(mortal_redis: RedisServer, ledger: Ledger) -> AsyncIterator[Publisher]:
    mortal_redis.start()
    publisher = Publisher(lambda: mortal_redis.port, ledger)
    yield publisher
    publisher.close()


async def test_publisher_notes_when_redis_took_it(mortal_redis: RedisServer, ledger: Ledger, publisher: Publisher):
    pubsub = mortal_redis.client.pubsub()  # type: ignore[no-untyped-call]
    pubsub.subscribe(CHANNEL)
    assert pubsub.get_message(timeout=5)["type"] == "subscribe"
    before = time.time()
    taken = await publisher.send([ledger.draft("LANE", ingress) for ingress in ALL])
    assert ledger.acknowledged == taken
    assert [event.ingress for event in taken] == ALL
    assert all(before <= event.earliest < event.latest <= time.time() for event in taken)
    heard = [pubsub.get_message(timeout=5)["data"] for _ in range(2)]
    entries: Any = mortal_redis.client.xrange(JOURNAL)
    kept = [fields[b"event"] for _id, fields in entries]
    assert [taken[at].event_id.encode() in heard[at // 2] for at in (0, 2)] == [True, True]
    assert [taken[at].event_id.encode() in kept[at - 1] for at in (1, 2)] == [True, True]
    assert heard[1] == kept[1], "by both ingresses it is the same message"
    pubsub.close()


async def test_publisher_without_redis_is_refused(mortal_redis: RedisServer, ledger: Ledger, publisher: Publisher):
    mortal_redis.kill()
    assert await publisher.send([ledger.draft("LANE", ingress) for ingress in ALL]) == []
    assert (ledger.refused, ledger.uncertain) == (3, 0)
    mortal_redis.start()
    assert len(await publisher.send([ledger.draft("LANE", Ingress.JOURNAL)])) == 1


async def test_publisher_without_an_answer_is_uncertain(
    mortal_redis: RedisServer, ledger: Ledger, publisher: Publisher
):
    await publisher.send([ledger.draft("LANE", Ingress.JOURNAL)])
    mortal_redis.freeze()
    assert await publisher.send([ledger.draft("LANE", ingress) for ingress in ALL]) == []
    assert (ledger.refused, ledger.uncertain, len(ledger.acknowledged)) == (0, 3, 1)
    mortal_redis.thaw()
    assert len(await publisher.send([ledger.draft("LANE", Ingress.CHANNEL)])) == 1


async def test_publisher_takes_an_error_for_a_refusal(mortal_redis: RedisServer, ledger: Ledger, publisher: Publisher):
    mortal_redis.client.set(JOURNAL, "no stream")
    taken = await publisher.send([ledger.draft("LANE", ingress) for ingress in ALL])
    assert [event.ingress for event in taken] == [Ingress.CHANNEL, Ingress.BOTH], "one of two was taken"
    assert (ledger.refused, ledger.uncertain) == (1, 0)


def test_traffic_draws_both_ingresses_for_each_lane():
    """A lane that has one ingress only never meets what the two do to each other."""
    plan = Plan(seed=1, seconds=1, lanes=2, events_per_second=1)
    traffic = Traffic(Ledger(), ["A", "B"], 1_025, 0.1, plan.draw("publisher-0"))
    drafts = [draft for _ in range(200) for draft in traffic.due()]
    assert len(drafts) == 4_100
    counted = Counter((draft.lane, draft.ingress) for draft in drafts)
    assert len(counted) == 2 * len(ALL)
    assert min(counted.values()) > 150


def test_plan_draws_the_same_for_a_seed_and_something_else_for_each_part():
    plan = Plan(seed=1, seconds=1, lanes=2, events_per_second=1)
    assert plan.draw("redis").random() == plan.draw("redis").random()
    assert plan.draw("redis").random() != plan.draw("pod-1").random()
