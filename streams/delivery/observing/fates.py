"""What becomes of the events of clients that are traced, among those that were read from Redis at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from streams.delivery.connection import Connection
from streams.delivery.observing.observer import Fate, Observer
from streams.wire.events import decode_remembered
from streams.wire.frames import message_frame

NO_FRAMES: Counter[bytes] = Counter()


class Seen(NamedTuple):
    """An event of a client that is traced, and the connection that it is about to be written to, if any."""

    name: str
    message: bytes
    fate: Fate
    connection: Connection | None = None


def look_at(
    traced: frozenset[str],
    names: list[str],
    messages: list[bytes],
    find: Callable[[str], Connection | None],
    deliveries: dict[Connection, list[bytes]],
) -> list[Seen]:
    """Return what is about to become of the events of some clients.

    To be called before anything is written: `deliveries` has the frames for each connection.
    """
    seen: list[Seen] = []
    left = {each.client_name: Counter(frames) for each, frames in deliveries.items() if each.client_name in traced}
    for name, message in zip(names, messages, strict=True):
        if name not in traced:
            continue
        connection = find(name)
        if connection is None or not connection.greeted:
            seen.append(Seen(name, message, Fate.UNCLAIMED))
        elif connection.pending is not None:
            seen.append(Seen(name, message, Fate.WAITING))
        elif left.get(name, NO_FRAMES)[frame := message_frame(decode_remembered(message).event_id, message)]:
            left[name][frame] -= 1
            seen.append(Seen(name, message, Fate.WRITTEN, connection))
        else:
            seen.append(Seen(name, message, Fate.REPEATED))
    return seen


def show(observer: Observer, seen: list[Seen]) -> None:
    """Show an observer what has become of them, now that they are written."""
    for name, message, fate, connection in seen:
        if connection is not None and connection.close_reason is not None:
            fate = Fate.CUT
        elif connection is not None and connection.writer.backlog_bytes():
            fate = Fate.WAITING
        observer.handled(name, message, fate)
