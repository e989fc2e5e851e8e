"""Steps drawn at random, which the model checks: nothing is lost outside of replay and gap, on two ingresses."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.history.coverage import Ingress
from streams.history.memory import BATCH_SECONDS
from streams.history.progress import MAX_LAG_SECONDS
from tests.streams.history.histories import NO_LIMIT
from tests.streams.history.messages.model import Model

SECONDS = (5.0, 50.0, 300.0)
BYTES = (700, 2000, 5000, NO_LIMIT)
PER_CLIENT = (1, 5, NO_LIMIT)
AGES = (0.0, 100.0)
PAUSES = (0.0, BATCH_SECONDS / 2, 1.0, 1.0, 4.0, 12.0, 40.0)
# One has most of the events, so that they depend on each other.
NAMES = "aaabc"
EVENT_IDS = tuple(map(str, range(9)))
LAGS = (0.0, 0.5, 4.0, MAX_LAG_SECONDS)
ASKED = (0.0, 1.0, 4.0, 45.0, 500.0)
names, lags = st.sampled_from(NAMES), st.sampled_from(LAGS)


class Machine(RuleBasedStateMachine):
    """The steps as Hypothesis draws them, and shortens them where one fails."""

    @initialize(
        seconds=st.sampled_from(SECONDS),
        max_bytes=st.sampled_from(BYTES),
        per_client=st.sampled_from(PER_CLIENT),
        age=st.sampled_from(AGES),
        past=st.booleans(),
    )
    def start(self, seconds: float, max_bytes: int, per_client: int, age: float, past: bool) -> None:
        self.model = Model(seconds, max_bytes, per_client, age, past=past)

    @rule(seconds=st.sampled_from(PAUSES))
    def advance(self, seconds: float) -> None:
        self.model.now += seconds

    @rule(
        name=names,
        event_ids=st.lists(st.sampled_from(EVENT_IDS), min_size=1, max_size=3),
        padding=st.integers(0, 300),
        ingress=st.sampled_from(Ingress),
        late=st.booleans(),
    )
    def publish(self, name: str, event_ids: list[str], padding: int, ingress: Ingress, late: bool) -> None:
        self.model.publish(name, event_ids, padding, ingress, late)

    @rule(count=st.integers(1, 10))
    def read_journal(self, count: int) -> None:
        self.model.read_journal(count)

    @precondition(lambda self: self.model.unread)
    @rule()
    def lose_journal(self) -> None:
        self.model.lose_journal()

    @precondition(lambda self: self.model.disconnected_since is None)
    @rule()
    def lose_channel(self) -> None:
        self.model.lose_channel()

    @precondition(lambda self: self.model.disconnected_since is not None)
    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def find_channel(self, seconds: float) -> None:
        self.model.find_channel(seconds)

    @rule()
    def expire(self) -> None:
        self.model.expire()

    @precondition(lambda self: self.model.heard)
    @rule(place=st.integers(0, 30), lag=lags)
    def come_back(self, place: int, lag: float) -> None:
        self.model.come_back(place, lag)

    @precondition(lambda self: len(self.model.heard) > len(self.model.remembered()))
    @rule(place=st.integers(0, 30), lag=lags)
    def come_back_late(self, place: int, lag: float) -> None:
        self.model.come_back_late(place, lag)

    @rule(name=names, event_id=st.sampled_from(EVENT_IDS), ingress=st.sampled_from(Ingress))
    def come_back_with_any(self, name: str, event_id: str, ingress: Ingress) -> None:
        self.model.come_back_with(name, f"{ingress}-{event_id}", 0.0)

    @rule(name=names, seconds=st.sampled_from(ASKED))
    def ask_since(self, name: str, seconds: float) -> None:
        self.model.ask_since(name, seconds)

    @invariant()
    def keeps_the_latest_of_each_client_within_the_limits(self) -> None:
        self.model.check_limits()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)


def test_nothing_is_lost_outside_of_replay_and_gap():
    """Many short lives of a pod, from one seed: Hypothesis draws a wider, and a much thinner, choice."""
    chosen = random.Random(1)
    for _ in range(600):
        choose = chosen.choice
        model = Model(choose(SECONDS), choose(BYTES), choose(PER_CLIENT), choose(AGES), past=chosen.random() < 0.3)
        for _ in range(60):
            step(model, chosen)
            model.check_limits()


def step(model: Model, chosen: random.Random) -> None:
    kind, choose = chosen.random(), chosen.choice
    if kind < 0.4:
        event_ids = chosen.choices(EVENT_IDS, k=chosen.randint(1, 3))
        ingress = choose(list(Ingress))
        model.publish(choose(NAMES), event_ids, chosen.randrange(300), ingress, late=chosen.random() < 0.5)
    elif kind < 0.55:
        model.now += choose(PAUSES)
    elif kind < 0.62:
        model.read_journal(chosen.randint(1, 10))
    elif kind < 0.64 and model.unread:
        model.lose_journal()
    elif kind < 0.68:
        if model.disconnected_since is None:
            model.lose_channel()
        else:
            model.find_channel(choose((0.5, 4.0)))
    elif kind < 0.7:
        model.expire()
    elif kind < 0.85 and model.heard:
        model.come_back(chosen.randrange(30), choose(LAGS))
    elif kind < 0.93 and len(model.heard) > len(model.remembered()):
        model.come_back_late(chosen.randrange(30), choose(LAGS))
    else:
        model.ask_since(choose(NAMES), choose(ASKED))
