"""The script in a real Redis: what it appends, notes and answers, and what it knows of a client."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.publishing.publication import Draft
from streams.publishing.records import ACCEPTED, place_of
from streams.publishing.script import PUBLISH, Fate, Outcome, Published, group_arguments, read_outcomes
from streams.roster.reading.lanes import Lane, LaneState
from streams.roster.reading.shown import lane_of
from tests.streams.publishing.events import ready
from tests.streams.roster.fleet import HOUR, Fleet, night_and_day
from tests.support.redis_server import RedisServer

KEPT_MS = 300_000


class Script:
    """The script, beside a roster of the test's own."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.client = fleet.client
        self._script = self.client.register_script(PUBLISH)

    async def run(self, *groups: Sequence[Draft], looked_up: bool = True) -> list[Outcome]:
        channel = self.fleet.channel
        head = [self.fleet.prefix, channel + ACCEPTED, channel + JOURNAL_SUFFIX, channel, KEPT_MS]
        words = [word for group in groups for word in group_arguments(group, time.time(), looked_up=looked_up)]
        return read_outcomes(await self._script(args=[*head, *words]), groups)

    async def one(self, draft: Draft, *, looked_up: bool = True) -> Published:
        (outcome,) = await self.run([draft], looked_up=looked_up)
        assert outcome.fate is Fate.TAKEN
        (published,) = outcome.events
        return published

    async def journal(self) -> list[tuple[str, Any]]:
        entries = await self.client.xrange(self.fleet.channel + JOURNAL_SUFFIX)
        return [(place.decode(), json.loads(fields[b"event"])) for place, fields in entries]


@pytest.fixture
def script(fleet: Fleet) -> Script:
    return Script(fleet)


async def test_durable_event_is_in_the_journal(script: Script):
    draft = ready(data="x")
    published = await script.one(draft)
    assert published.earlier is None
    assert await script.journal() == [(place_of(published.place)[0], json.loads(draft.message))]
    assert [key async for key in script.client.scan_iter(f"{script.fleet.channel}{ACCEPTED}*")] == []


async def test_other_event_is_on_the_channel(script: Script, redis_server: RedisServer):
    draft = ready(durable=False)
    with redis_server.listening(script.fleet.channel) as listener:
        assert (await script.one(draft)).place == 1
        message = listener.get_message(timeout=5)
        assert message is not None
        assert message["data"] == draft.message
    assert await script.journal() == []


@pytest.mark.parametrize("durable", [True, False])
async def test_same_event_again_is_the_first(script: Script, durable: bool):
    first = ready(key="k", eventId="e-1", durable=durable)
    place = (await script.one(first)).place
    assert isinstance(place, bytes) is durable
    for again in (first, ready(key="k", eventId="e-1", durable=durable), ready(eventId="e-1", durable=durable)):
        published = await script.one(again)
        assert published.earlier is not None
        kept = published.earlier
        assert (kept.record.event_id, kept.record.timestamp) == ("e-1", first.event.timestamp)
        assert kept.record.durable is durable
        assert (kept.log_id, kept.receivers) == place_of(place)
    assert len(await script.journal()) == int(durable)


async def test_record_lives_for_so_long(script: Script):
    await script.one(ready(key="k", eventId="e-1"))
    keys = [key async for key in script.client.scan_iter(f"{script.fleet.channel}{ACCEPTED}*")]
    assert len(keys) == 2
    for key in keys:
        assert KEPT_MS - 10_000 < await script.client.pttl(key) <= KEPT_MS
        await script.client.delete(key)
    assert (await script.one(ready(eventId="e-1", data="another"))).earlier is None, "and is forgotten then"


async def test_group_is_published_whole_or_not_at_all(script: Script):
    await script.one(ready(eventId="e-1"))
    for refused, fate in (
        (ready(eventId="e-1", data="another"), Fate.MISMATCH),
        (ready(requireOnline=True), Fate.OFFLINE),
        (ready(eventId="e-2", deliverBy="2020-01-05T12:00:00Z"), Fate.OVER),
    ):
        outcomes = await script.run([ready(), ready()], [ready(), refused, ready()], [ready()])
        assert [outcome.fate for outcome in outcomes] == [Fate.TAKEN, fate, Fate.TAKEN]
        assert outcomes[1].number == 1
    assert len(await script.journal()) == 1 + 3 * 3


async def test_event_that_expired_since_it_was_published_is_the_first(script: Script):
    fields: dict[str, Any] = {"eventId": "e-1", "timestamp": "2026-01-05T12:00:00Z", "ttlMs": 1000}
    over = ready(**fields)
    assert over.over is not None
    await script.one(over._replace(over=None))
    assert (await script.one(over)).earlier is not None


async def test_client_is_looked_up_where_that_is_asked(script: Script):
    await script.fleet.beat("one")
    await script.fleet.connect("one", "A-1", "alone")
    await script.fleet.round()
    for name in ("A-1", "alone"):
        found = (await script.one(ready(name))).client
        assert found is not None
        assert found.lane is not None
        lane = lane_of(found.lane, found.view)
        assert (lane.client_name, lane.state, lane.pod_name) == (name, LaneState.CONNECTED, "pod-of-one")
    assert (await script.one(ready(), looked_up=False)).client is None
    assert (await script.one(ready(requireOnline=True), looked_up=False)).client is not None
    unknown = (await script.one(ready("never"))).client
    assert unknown is not None
    assert unknown.lane is None


@pytest.mark.parametrize(
    ("name", "state", "pod_name"),
    [
        ("STORE00001-LANE01", LaneState.CONNECTED, "pod-of-one"),
        ("STORE00002-LANE01", LaneState.MISSING, "pod-of-one"),
        ("STORE00003-LANE01", LaneState.OFFLINE, "pod-of-one"),
    ],
)
async def test_client_is_what_the_roster_says(script: Script, name: str, state: LaneState, pod_name: str):
    """Complete, partial and dark: the same as the reader of the roster finds."""
    await night_and_day(script.fleet)
    found = await read_and_looked_up(script, name)
    assert (found.state, found.pod_name) == (state, pod_name)


async def test_client_of_a_store_that_opens(script: Script):
    """Its first lane is no reason to miss the others."""
    await night_and_day(script.fleet)
    await script.fleet.connect("two", "STORE00003-LANE01")
    await script.fleet.round()
    assert (await read_and_looked_up(script, "STORE00003-LANE02")).state is LaneState.OFFLINE


async def read_and_looked_up(script: Script, name: str) -> Lane:
    """Return a lane as the script finds it, which is as the reader of the roster does."""
    found = (await script.one(ready(name))).client
    assert found is not None
    assert found.lane is not None
    lane = lane_of(found.lane, found.view)
    assert lane == await script.fleet.reader.lane(name)
    return lane


async def test_require_online_of_a_pod_that_is_silent(script: Script):
    """A client of which nobody knows whether it is there is not online."""
    await script.fleet.beat("one", ago=HOUR)
    await script.fleet.connect("one", "A-1")
    await script.fleet.round()
    (outcome,) = await script.run([ready(requireOnline=True)])
    assert outcome.fate is Fate.OFFLINE
    assert outcome.client is not None
    assert outcome.client.lane is not None
    assert lane_of(outcome.client.lane, outcome.client.view).state is LaneState.UNKNOWN
    await script.fleet.beat("one")
    assert (await script.one(ready(requireOnline=True))).earlier is None


async def test_require_online_again_after_the_client_left_is_the_first(script: Script):
    await script.fleet.beat("one")
    await script.fleet.connect("one", "A-1")
    await script.fleet.round()
    again = ready(requireOnline=True, eventId="e-1")
    await script.one(again)
    await script.fleet.end("one", "A-1")
    assert (await script.one(again)).earlier is not None
    (outcome,) = await script.run([ready(requireOnline=True, eventId="e-2")])
    assert outcome.fate is Fate.OFFLINE


async def test_many_events_in_one_go(script: Script):
    outcomes = await script.run([ready(f"A-{number}", eventId=f"e-{number}") for number in range(500)])
    assert len(outcomes[0].events) == 500
    assert [event["eventId"] for _place, event in await script.journal()] == [f"e-{number}" for number in range(500)]
