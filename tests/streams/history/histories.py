"""Histories for the tests, and what goes into them."""

from __future__ import annotations

from math import inf

from streams.history.coverage import Gap, Ingress
from streams.history.messages import History
from tests.streams import builders
from tests.streams.builders import CHANNEL
from tests.streams.clocks import STARTED

SECONDS = 300.0
NO_LIMIT = 1 << 30
# Long enough after the start that no other pod can have been behind by more.
LATER = STARTED + 100


def make_history(*, seconds: float = SECONDS, max_bytes: int = NO_LIMIT, per_client: int = 100) -> History:
    return History(seconds, max_bytes, per_client, STARTED)


def message(event_id: object, padding: int = 0) -> bytes:
    return builders.message("a", event_id, data="x" * padding)


def fill(
    history: History, *event_ids: str, name: str = "a", now: float = STARTED, ingress: Ingress = CHANNEL
) -> list[bytes]:
    """Hand in events a second apart, the first at `now`; return their messages."""
    messages = [message(event_id) for event_id in event_ids]
    for number, each in enumerate(messages):
        history.extend([name], [each], now + number, ingress)
    return messages


def all_heard(_ingress: Ingress, _place: int | None, moment: float) -> float:
    """Every pod had heard all of the other ingress when it wrote an event."""
    return moment


def nothing_known(_ingress: Ingress, _place: int | None, _moment: float) -> float:
    """No pod ever said what it had heard."""
    return -inf


def after(history: History, name: str, event_id: str, now: float) -> tuple[list[bytes], Gap | None]:
    """Return what a client of one ingress is sent that comes back with an id."""
    replay = history.after(name, event_id, now, all_heard)
    return replay.messages, replay.gap


def since(history: History, name: str, seconds: float, now: float) -> tuple[list[bytes], Gap | None]:
    replay = history.since(name, seconds, now)
    return replay.messages, replay.gap
