"""How many requests are taken at once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from streams.broker.primary import Primary
from streams.conf import StreamSettings
from streams.publishing.publishing import Publishing
from streams.publishing.script import Fate, Outcome
from streams.publishing.sender import NotTaken
from tests.streams.publishing.events import ready


@pytest.fixture
def publishing(conf: StreamSettings) -> Publishing:
    conf = msgspec.structs.replace(conf, publish_concurrency=2, publish_rate=7)
    return Publishing(conf, Primary(conf.redis_url))


async def test_busy_while_so_many_are_under_way(publishing: Publishing):
    """However they end."""
    requests = []
    busy = []
    for _ in range(3):
        busy.append(publishing.busy)
        requests.append(asyncio.create_task(publishing.publish([ready()])))
        await asyncio.sleep(0)
    assert busy == [False, False, True]
    taken, refused, gone = requests
    (one, other, _last) = publishing.sender._take()
    one.answer.set_result(Outcome(Fate.TAKEN))
    assert (await taken).fate is Fate.TAKEN
    assert publishing._under_way == 2
    other.answer.set_exception(NotTaken())
    with pytest.raises(NotTaken):
        await refused
    assert publishing._under_way == 1
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert publishing._under_way == 0
    assert not publishing.busy


def test_rates_are_those_of_the_settings(publishing: Publishing):
    assert publishing.rates.rate == 7
