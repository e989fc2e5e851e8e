"""The script in a real Redis beside its model, whatever back ends publish."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.publishing.publication import Draft
from streams.publishing.records import ACCEPTED, Kept, place_of
from streams.publishing.script import PUBLISH, Fate, group_arguments, read_outcomes
from streams.roster.keys import prefix
from tests.streams.publishing.events import ready
from tests.support.redis_server import RedisServer

HISTORY, LIFE = "history-1", "life-1"
# The first one comes and goes.
CLIENTS = ("A-1", "A-2", "kiosk")
channels = itertools.count(1)


class Said(NamedTuple):
    """One event: under which id and key, what it says, and how."""

    client: str
    event_id: str
    key: str
    data: int
    durable: bool
    online: bool
    over: bool

    def draft(self) -> Draft:
        fields: dict[str, Any] = {"data": self.data, "durable": self.durable, "requireOnline": self.online}
        if self.event_id:
            fields |= {"eventId": self.event_id}
        if self.over and (self.event_id or self.key):
            fields |= {"deliverBy": "2020-01-05T12:00:00Z"}
        return ready(self.client, key=self.key, **fields)


class First(NamedTuple):
    """What was answered when an id was first taken."""

    digest: bytes
    event_id: str
    place: bytes | int


class Model:
    """What the script does, in Python."""

    def __init__(self) -> None:
        self.known: dict[str, First] = {}
        self.journal: list[bytes] = []

    def first(self, draft: Draft) -> tuple[First, bool] | None:
        for known in draft.ids:
            if found := self.known.get(known.id):
                return found, found.digest == known.digest
        return None

    def fate(self, group: list[Draft], *, connected: bool) -> tuple[Fate, int]:
        for number, draft in enumerate(group):
            found = self.first(draft)
            if found and not found[1]:
                return Fate.MISMATCH, number
            if draft.over and not found:
                return Fate.OVER, number
        for number, draft in enumerate(group):
            here = connected and draft.event.client_name == CLIENTS[0]
            if draft.require_online and not here and not self.first(draft):
                return Fate.OFFLINE, number
        return Fate.TAKEN, 0


events = st.builds(
    Said,
    st.sampled_from(CLIENTS),
    st.sampled_from(("", "e-1", "e-2", "e-3")),
    st.sampled_from(("", "", "k-1", "k-2")),
    st.integers(1, 2),
    st.booleans(),
    st.booleans(),
    st.sampled_from((False, False, False, True)),
)


def without_twins(group: list[Said]) -> bool:
    """Say whether no two events of a request have the same id, which is refused before."""
    ids = [known.id for said in group for known in said.draft().ids]
    return len(ids) == len(set(ids))


groups = st.lists(events, min_size=1, max_size=4).filter(without_twins)


class RealRedis:
    """The script, in a Redis of its own channel, whose roster has one client."""

    def __init__(self, server: RedisServer) -> None:
        self.client: Any = server.client
        self.channel = f"publish-model-{next(channels)}"
        self._script = self.client.register_script(PUBLISH)
        self._roster = prefix(self.channel)
        self._seconds, _ = self.client.time()
        self.client.hset(f"{self._roster}tally", "history", HISTORY)
        self.client.hset(f"{self._roster}pods", LIFE, f'{self._seconds}000 ["pod-1","1.0.0",""]')

    def run(self, batch: list[list[Draft]], *, looked_up: bool, connected: bool) -> Any:
        here = f"{self._roster}here:{HISTORY}:A"
        if connected:
            self.client.hset(here, CLIENTS[0], f"{LIFE} 1 {self._seconds}000")
        else:
            self.client.hdel(here, CLIENTS[0])
        head: list[Any] = [
            prefix(self.channel),
            self.channel + ACCEPTED,
            self.channel + JOURNAL_SUFFIX,
            self.channel,
            60_000,
        ]
        words = [word for group in batch for word in group_arguments(group, time.time(), looked_up=looked_up)]
        return self._script(args=[*head, *words])

    def journal(self) -> list[bytes]:
        return [fields[b"event"] for _place, fields in self.client.xrange(self.channel + JOURNAL_SUFFIX)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.lists(groups, min_size=1, max_size=3)), max_size=6))
def test_script_does_what_its_model_does(redis_server: RedisServer, said: list[tuple[bool, bool, list[list[Said]]]]):
    """A group is published whole or not at all, and an id is published once: its first answer is given again."""
    real, model = RealRedis(redis_server), Model()
    for looked_up, connected, batch in said:
        drafts = [[each.draft() for each in group] for group in batch]
        outcomes = read_outcomes(real.run(drafts, looked_up=looked_up, connected=connected), drafts)
        for group, outcome in zip(drafts, outcomes, strict=True):
            assert (outcome.fate, outcome.number) == model.fate(group, connected=connected)
            if outcome.fate is not Fate.TAKEN:
                continue
            earlier = [model.first(draft) for draft in group]
            for draft, found, published in zip(group, earlier, outcome.events, strict=True):
                assert (published.client is not None) is (looked_up or draft.require_online)
                if found is not None:
                    check_first(found[0], published.earlier)
                    continue
                assert published.earlier is None
                if draft.durable:
                    model.journal.append(draft.message)
                for known in draft.ids:
                    model.known[known.id] = First(known.digest, draft.event.event_id, published.place)
        assert real.journal() == model.journal
    once = [json.loads(message)["eventId"] for message in model.journal]
    assert len(once) == len(set(once)), "no id is published twice"


def check_first(first: First, kept: Kept | None) -> None:
    assert kept is not None
    assert (kept.digest, kept.record.event_id) == (first.digest, first.event_id)
    assert (kept.log_id, kept.receivers) == place_of(first.place)
