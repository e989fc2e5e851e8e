"""What a client's trace is made of: values."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from streams.wire.events import MAX_EVENT_ID_CHARACTERS
from streams.wire.lenient import UNREADABLE

# Texts from outside are cut.
MAX_TEXT_CHARACTERS = 120


class Kind(StrEnum):
    """What an entry tells."""

    OPENED = "opened"
    # A stream was handed events of before.
    REPLAYED = "replayed"
    # The client was told that events may be missing.
    GAP = "gap"
    CLOSED = "closed"
    EVICTED = "evicted"
    DUEL = "duel"
    # The stream ended with a farewell at once.
    REFUSED = "refused"
    EVENT = "event"
    # There was more than is kept.
    LEFT_OUT = "left-out"
    # A pod gave no answer, or one that had an open stream is not there any more.
    UNANSWERED = "unanswered"


# The ends of streams that were open.
ENDS = (Kind.CLOSED, Kind.EVICTED, Kind.DUEL)
# Before how it was decided, in the reason of a refusal by the lock of the streams.
BY_LOCK = "token-"
# The fate of an event that pods remember, and of which they do not know more.
REMEMBERED = "remembered"


class TraceEntry(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """One entry of a client's trace. Times are ISO 8601, by Redis' clock.

    `stream` names one stream of one pod's life; an end without one is of a stream that was never taken in.
    `count` is how many events were replayed, how many entries are left out, or how often the client was refused for
    its token since its last good one. `expired` says of an event
    that its deadline has passed by now. `pods` is how many pods say the same. An event's `digest` names its message.
    """

    kind: Kind
    pod_name: str = ""
    at: str = ""
    stream: str = ""
    address: str = ""
    user_agent: str = ""
    last_event_id: str | None = None
    since_seconds: float | None = None
    count: int = 0
    reason: str = ""
    gap_from: str | None = msgspec.field(default=None, name="from")
    gap_to: str | None = msgspec.field(default=None, name="to")
    seconds: float | None = None
    events: int | None = None
    bytes: int | None = None
    by: str = ""
    event_id: str = ""
    action: str = ""
    fate: str = ""
    expired: bool = False
    pods: int = 0
    digest: str = ""


class About(msgspec.Struct, gc=False, rename="camel"):
    """What a trace says of an event."""

    action: Any = None
    event_id: Any = None


_about = msgspec.json.Decoder(About).decode
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(TraceEntry).decode


def stream_of(life: str, number: int) -> str:
    """Return what names a stream: the beginning of its pod's life, and its number in it."""
    return f"{life[:8]}.{number}"


def about(message: bytes) -> tuple[str, str]:
    """Return the id and the action of an event, cut to what is kept; empty where it has none that is a text."""
    try:
        event = _about(message)
    except UNREADABLE:
        return "", ""
    event_id, action = event.event_id, event.action
    return (
        event_id[:MAX_EVENT_ID_CHARACTERS] if isinstance(event_id, str) else "",
        action[:MAX_TEXT_CHARACTERS] if isinstance(action, str) else "",
    )
