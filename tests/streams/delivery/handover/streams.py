"""Streams of clients, and what another pod is told of them, for the tests of the handover."""

from __future__ import annotations

from streams.delivery.connection import Connection, Resume
from streams.delivery.handover import Handover
from streams.history.coverage import Ingress
from streams.history.lookup import digest
from streams.history.messages import History
from streams.wire.pods import PodMessage, Question
from tests.streams.builders import Recorder
from tests.streams.clocks import STARTED, HandClock
from tests.streams.delivery.pods import event

NOW = STARTED


def proved(_place: int, moment: float) -> float:
    return moment - 0.5


def heard(history: History, *event_ids: str, name: str = "a", ingress: Ingress = Ingress.CHANNEL) -> list[str]:
    """Let the history hear events; return their digests."""
    messages = [event(event_id, name) for event_id in event_ids]
    history.extend([name] * len(messages), messages, NOW + 1, ingress)
    return [digest(message) for message in messages]


def stream(hands: HandClock, name: str = "a", *, first: int = 0, last_event_id: str | None = None) -> Connection:
    """Return a stream that was greeted, and has all of its client from a place on."""
    resume = None if last_event_id is None else Resume(last_event_id, None)
    connection = Connection(name, Recorder(), resume=resume, clock=hands.clock)
    connection.greeted = True
    connection.first_place = first
    return connection


def asked(
    handover: Handover, event_id: str, connection: Connection | None = None, *, marks: bool = False
) -> list[PodMessage]:
    """Let another pod ask what the client read before an event; return the answer."""
    handover.outgoing.clear()
    handover.asked(Question("two", 7, "a", event_id, marks), connection, NOW + 3)
    return list(handover.outgoing)
