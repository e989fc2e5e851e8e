"""What a pod says that it remembers of a client, and how the answers are waited for."""

from __future__ import annotations

import asyncio
import time

import pytest

from streams.roster.tracing import questions as module
from streams.roster.tracing.questions import MAX_EVENTS, Answer, Ask, Questions, Remembered, Witness
from streams.wire.timestamps import iso
from tests.streams.builders import message
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod

AHEAD = 1_700_000_000.0


@pytest.fixture
def pod(hands: HandClock) -> PurePod:
    """A pod that has heard both ingresses for ten seconds."""
    pod = PurePod(hands)
    pod.start()
    pod.live(10)
    return pod


def answer(pod: PurePod, name: str = "a") -> Answer:
    witness = Witness(pod.registry, pod.history, "0123456789abcdef", pod.hands.clock)
    return witness.answer(Ask(7, name), AHEAD)


def fates(pod: PurePod) -> dict[str, str]:
    return {event.event_id: event.fate for event in answer(pod).events}


def test_witness_knows_nothing_of_a_client_without_stream_and_events(pod: PurePod):
    assert answer(pod) == Answer(7, iso(AHEAD + pod.hands.now))


def test_witness_names_the_open_stream(pod: PurePod):
    connection, _ = pod.connect()
    connection.number, connection.address, connection.user_agent = 3, "10.0.0.1:5", "u" * 500
    opened_at = pod.hands.now
    pod.live(5)
    found = answer(pod)
    assert (found.stream, found.opened_at, found.address) == ("01234567.3", iso(AHEAD + opened_at), "10.0.0.1:5")
    assert len(found.user_agent) == 120


def test_witness_remembers_what_an_event_was_and_not_its_data(pod: PurePod):
    pod.recovery.take_channel([message("a", "evt-1", action="payment", data={"card": "secret"})])
    (event,) = answer(pod).events
    assert event[:3] == (iso(AHEAD + pod.hands.now), "evt-1", "payment")
    assert (event.fate, event.expired) == ("remembered", False)
    assert "secret" not in repr(event)


def test_witness_says_written_of_what_came_while_the_stream_was_open(pod: PurePod):
    pod.channel("before")
    _, writer = pod.connect()
    pod.channel("while")
    assert fates(pod) == {"before": "remembered", "while": "written"}
    writer.reading = False
    pod.channel("slow")
    assert set(fates(pod).values()) == {"remembered"}, "which of them its client has not taken, nobody knows"


def test_witness_says_replayed_of_what_a_replay_brought(pod: PurePod):
    pod.channel("1", "2", "3")
    pod.live(2)
    pod.connect("a", "1")
    pod.settle()
    assert fates(pod) == {"1": "remembered", "2": "replayed", "3": "replayed"}


def test_witness_says_nothing_of_a_stream_that_waits_for_its_replay(pod: PurePod):
    connection, _ = pod.connect()
    pod.channel("1")
    pod.registry.outbox.hold(connection, pod.router.framing(connection))
    assert fates(pod) == {"1": "remembered"}
    connection.pending, connection.greeted = None, False
    assert fates(pod) == {"1": "remembered"}


def test_witness_does_not_say_written_of_what_may_have_expired_behind_a_replay(pod: PurePod):
    pod.channel("1")
    pod.connect("a", since=5.0)
    pod.recovery.take_channel([message("a", "2", ttlMs=10_000), message("a", "3")])
    assert fates(pod) == {"1": "replayed", "2": "remembered", "3": "written"}


def test_witness_says_whose_deadline_has_passed(pod: PurePod, hands: HandClock):
    pod.recovery.take_channel([message("a", "1", ttlMs=1000), message("a", "2", ttlMs=60_000), message("a", "3")])
    hands.turn(2)
    assert [event.expired for event in answer(pod).events] == [True, False, False]


def test_witness_says_how_much_it_leaves_out(hands: HandClock):
    pod = PurePod(hands, per_client=1000)
    pod.start()
    pod.channel(*(str(number) for number in range(MAX_EVENTS + 5)))
    found = answer(pod)
    assert (len(found.events), found.left_out, found.events[-1].event_id) == (MAX_EVENTS, 5, str(MAX_EVENTS + 4))


async def test_questions_are_over_when_all_have_answered():
    asked: list[Ask] = []
    questions = Questions(asked.append)
    asking = asyncio.ensure_future(questions.ask("a", {"one", "two"}))
    await asyncio.sleep(0)
    assert asked == [Ask(1, "a")]
    questions.answered("one", "pod-1", [Answer(1, "now"), Answer(99, "long ago")])
    await asyncio.sleep(0)
    assert not asking.done()
    questions.answered("two", "pod-2", [Answer(1, "now", events=[Remembered("now", "", "", "", "", False)])])
    found = await asyncio.wait_for(asking, 5)
    assert {life: pod_name for life, (pod_name, _) in found.items()} == {"one": "pod-1", "two": "pod-2"}
    questions.answered("one", "pod-1", [Answer(1, "too late")])


@pytest.mark.parametrize("lives", [{"one", "two"}, set()])
async def test_questions_wait_so_long_and_no_longer(lives: set[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    questions = Questions(lambda ask: questions.answered("one", "pod-1", [Answer(ask.number, "now")]))
    began = time.monotonic()
    assert list(await questions.ask("a", lives)) == ["one"]
    assert time.monotonic() - began >= 0.05
