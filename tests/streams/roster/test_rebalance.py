from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field

import pytest

from streams.roster.lives import BEAT_SECONDS, LIFE_SECONDS, STALE_SECONDS, Heard, Life
from streams.roster.rebalance import (
    BEGIN_SHARE,
    END_SHARE,
    LEAST_CONNECTIONS,
    SENT_SHARE,
    YOUNG_SECONDS,
    Rebalance,
)

MINE = "life-0"
SETTLED_AT = YOUNG_SECONDS + 1


def heard(number: int, connections: int, *, state: str = "ready", silent_seconds: float = 1.0) -> Heard:
    says = Life(f"pod-{number}", "1", "2026-01-01T00:00:00.000Z", state=state, connections=connections)
    return Heard(f"life-{number}", says, silent_seconds)


def settled(*others: Heard) -> tuple[Rebalance, list[Heard]]:
    """Return a pod that has known itself and the others for long enough, and who they are."""
    lives = [heard(0, 0), *others]
    rebalance = Rebalance(MINE)
    assert rebalance.due(0, lives, lives_at=0, ready=True, now=0) == 0
    return rebalance, lives


def due(rebalance: Rebalance, connections: int, lives: list[Heard], *, ready: bool = True, age: float = 0.0) -> int:
    return rebalance.due(connections, lives, lives_at=SETTLED_AT - age, ready=ready, now=SETTLED_AT)


def test_half_a_percent_goes_each_second():
    rebalance, lives = settled(heard(1, 0))
    assert [due(rebalance, 1000, lives) for _ in range(3)] == [5, 5, 5]
    # Half of one connection waits for its other half.
    rebalance, lives = settled(heard(1, 0))
    assert [due(rebalance, 100, lives) for _ in range(4)] == [0, 1, 0, 1]


def test_begins_high_and_ends_low(caplog: pytest.LogCaptureFixture):
    rebalance, lives = settled(heard(1, 1000), heard(2, 1000))
    with caplog.at_level(logging.INFO, "sse.registry"):
        # 1,363 of 3,363 are 1.22 of the mean; 1,500 of 3,500 are 1.29.
        assert due(rebalance, 1363, lives) == 0
        assert not rebalance.active
        assert due(rebalance, 1500, lives) == 7
        assert due(rebalance, 1363, lives) > 0
        # 1.09 of the mean.
        assert due(rebalance, 1150, lives) == 0
        assert due(rebalance, 1363, lives) == 0
    assert [record.message for record in caplog.records] == [
        "This pod has 1500 clients, and a pod 1167 on average: it sends some away",
        "This pod sends no more clients to the others",
    ]


@pytest.mark.parametrize(
    "others",
    [
        [],
        [heard(1, 0, state="draining")],
        [heard(1, 0, state="not-ready")],
        [heard(1, 0, silent_seconds=LIFE_SECONDS)],
    ],
    ids=["alone", "draining", "not-ready", "dead"],
)
def test_needs_another_that_takes_clients(others: list[Heard]):
    rebalance, lives = settled(*others)
    assert [due(rebalance, 1000, lives) for _ in range(3)] == [0, 0, 0]


def test_stops_while_this_pod_takes_nobody():
    rebalance, lives = settled(heard(1, 0))
    assert due(rebalance, 1000, lives) == 5
    assert due(rebalance, 1000, lives, ready=False) == 0
    assert not rebalance.active


def test_stops_while_redis_is_away():
    rebalance, lives = settled(heard(1, 0))
    assert due(rebalance, 1000, lives, age=STALE_SECONDS) == 5
    assert due(rebalance, 1000, lives, age=STALE_SECONDS + 0.1) == 0


def test_leaves_a_few_where_they_are():
    rebalance, lives = settled(heard(1, 0))
    assert sum(due(rebalance, LEAST_CONNECTIONS - 1, lives) for _ in range(10)) == 0


def test_waits_while_any_pod_is_young():
    rebalance, lives = settled(heard(1, 0))
    assert due(rebalance, 1000, lives) == 5
    newcomer = [*lives, heard(2, 0, state="not-ready")]
    assert due(rebalance, 1000, newcomer) == 0
    later = SETTLED_AT + YOUNG_SECONDS
    assert rebalance.due(1000, newcomer, lives_at=later, ready=True, now=later - 1) == 0
    assert rebalance.due(1000, newcomer, lives_at=later, ready=True, now=later) == 5


def test_one_that_was_away_is_young_again():
    rebalance, lives = settled(heard(1, 0), heard(2, 0))
    assert due(rebalance, 1000, lives[:2]) == 5
    assert due(rebalance, 1000, lives) == 0


@dataclass
class Cluster:
    """Pods that beat every five seconds, and clients that come back to the pod with the fewest after some seconds."""

    counts: list[int]
    draw: random.Random
    told: list[int] = field(default_factory=list)
    told_at: list[float] = field(default_factory=list)
    away: list[tuple[float, int]] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.pods = [Rebalance(f"life-{number}") for number in range(len(self.counts))]
        self.told = list(self.counts)
        self.told_at = [self.draw.uniform(-BEAT_SECONDS, 0) for _ in self.counts]
        self.total = sum(self.counts)

    def turn(self) -> list[int]:
        """Let a second pass; return how many each pod sent away."""
        self.now += 1
        for number, count in enumerate(self.counts):
            if self.now - self.told_at[number] >= BEAT_SECONDS:
                self.told[number], self.told_at[number] = count, self.now
        lives = [heard(number, count) for number, count in enumerate(self.told)]
        sent = [
            pod.due(self.counts[number], lives, lives_at=self.told_at[number], ready=True, now=self.now)
            for number, pod in enumerate(self.pods)
        ]
        for number, count in enumerate(sent):
            self.counts[number] -= count
            self.away += [(self.now + self.draw.uniform(1, 5), 1)] * count
        back = [one for one in self.away if one[0] <= self.now]
        self.away = [one for one in self.away if one[0] > self.now]
        for _ in back:
            self.counts[self.counts.index(min(self.counts))] += 1
        return sent


@pytest.mark.parametrize("seed", range(40))
def test_shares_become_even_whatever_they_were(seed: int):
    """Though counts are old, and clients are nowhere for seconds; nobody goes below the mean, or sends many at once."""
    draw = random.Random(seed)
    cluster = Cluster(
        [draw.choice([0, draw.randrange(50, 500), draw.randrange(6000)]) for _ in range(draw.randint(2, 9))], draw
    )
    mean = cluster.total / len(cluster.counts)
    for _ in range(1200):
        before = list(cluster.counts)
        for count, sent in zip(before, cluster.turn(), strict=True):
            assert sent <= SENT_SHARE * count + 1
            assert not sent or count - sent >= mean
    assert not any(cluster.turn())
    assert all(count <= max(BEGIN_SHARE * mean, LEAST_CONNECTIONS) for count in cluster.counts), cluster.counts


def test_ends_below_where_it_stops():
    cluster = Cluster([3000, 0, 0], random.Random(1))
    for _ in range(600):
        cluster.turn()
    assert max(cluster.counts) <= END_SHARE * 1000 + 1
