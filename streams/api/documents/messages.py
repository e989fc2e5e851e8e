"""What a stream carries, as types: the notices of streams.delivery.notices, and an event as it was published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from streams.delivery.notices import FAREWELLS
from streams.history.coverage import GapReason
from streams.wire.publication import TIME, ClientName

Time = Annotated[str, Meta(description="ISO 8601, in UTC", examples=[TIME])]
PodName = Annotated[str, Meta(description="the pod that says it", examples=["pod-1"])]
# What a front door says where no pod answers.
NO_POD = "no-pod"


class Connected(msgspec.Struct, rename="camel"):
    """The first frame of a stream."""

    type: Literal["connected"]
    client_name: ClientName
    pod_name: PodName
    timestamp: Time


class StreamGap(msgspec.Struct, rename="camel"):
    """Events may be missing."""

    type: Literal["stream-gap"]
    reason: GapReason
    last_event_id: Annotated[str | None, Meta(description="what the client sent")]
    began: Annotated[str | None, Meta(description="since when events may be missing; null where nobody knows")] = (
        msgspec.field(name="from")
    )
    ended: Annotated[str, Meta(description="until when")] = msgspec.field(name="to")
    pod_name: PodName
    timestamp: Time


class TokenExpiring(msgspec.Struct, rename="camel"):
    """The token of the stream ends soon."""

    type: Literal["token-expiring"]
    expires_at: Annotated[str, Meta(description="when the token ends; the stream ends with it", examples=[TIME])]
    pod_name: PodName
    timestamp: Time


def farewell(name: str) -> type[msgspec.Struct]:
    """Return the type of the frame with which a stream ends that is told so by this name."""
    reasons = tuple(reason.value for reason, word in FAREWELLS.items() if word == name)
    reasons += (NO_POD,) if name == "overloaded" else ()
    fields: list[tuple[str, Any]] = [
        ("type", Literal[name]),
        ("reason", Literal[reasons]),
        ("pod_name", PodName),
        ("timestamp", Time),
    ]
    return msgspec.defstruct(name.capitalize(), fields, rename="camel")


SUMMARIES = {
    "evicted": "The stream ends: somebody else is served under this name, or an operator closed it",
    "draining": "The stream ends: come back, to another pod where there is one",
    "overloaded": "The stream is refused: come back later",
    "unauthorized": "The stream is refused or ends: its token ended or was revoked. Come back with another one",
}
FAREWELL_TYPES = {name: farewell(name) for name in SUMMARIES}
