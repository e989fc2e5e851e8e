"""What pods tell each other on the canary's channel, in the order of the channel itself.

A message is a JSON array. Whoever does not understand one, such as a pod of an earlier
version, ignores it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

# Kept by the thousand: what is longer comes from no pod.
Life = Annotated[str, msgspec.Meta(max_length=64)]
Name = Annotated[str, msgspec.Meta(max_length=253)]
# For each ingress, times by the ages in seconds of their beginnings and ends.
Losses = tuple[list[tuple[float, float]], list[tuple[float, float]]]
NO_LOSSES: Losses = ([], [])


class Statement(msgspec.Struct, tag="statement", omit_defaults=True):
    """A pod's proof of itself: what it publishes comes back, and how far it has heard.

    `sent` is in the pod's own monotonic seconds; `ages` say how many seconds ago it had heard
    everything, of the channel and of the journal. `journal_oldest` is the id of the first entry that
    it read: a journal without it was begun anew, which nothing in the journal itself shows. `asks` is
    set by a pod that has just subscribed: all others state at once, so that it knows who is there.
    `lost` says, of the channel and of the journal, between how many seconds ago Redis itself may have
    lost something, which a pod that was not there has no other way to know. `subscribed` says how many
    seconds ago its subscription to the channel began, and when it last proved that it stands.
    """

    life: Life
    pod_name: Name
    sent: float
    ages: tuple[float, float]
    journal_oldest: tuple[int, int] | None = None
    asks: bool = False
    lost: Losses = NO_LOSSES
    subscribed: tuple[float, float] = (0.0, 0.0)


class Question(msgspec.Struct, tag="question", omit_defaults=True):
    """Asked by a pod whom a client came back to: what did it read before the event with this id?

    `marks` says whether some of those that have the event are to say how far whoever read it was.
    """

    life: Life
    number: int
    client_name: Name
    event_id: Name
    marks: bool = False


class Answer(msgspec.Struct, tag="answer", omit_defaults=True):
    """Said by a pod that has that event.

    `digests` are those of what it wrote to the client shortly before; None where it did not write it.
    `ages` say up to how many seconds ago whoever read the event has everything, of the channel and of
    the journal, or was told what it lacks; None where that was not asked for, or is not known.
    """

    life: Life
    number: int
    digests: list[str] | None
    ages: tuple[float, float] | None = None


PodMessage = Statement | Question | Answer

_decoder = msgspec.json.Decoder(list[PodMessage])


def encode_pod_messages(messages: list[PodMessage]) -> bytes:
    """Encode messages for one PUBLISH."""
    return msgspec.json.encode(messages)


def decode_pod_messages(data: bytes) -> list[PodMessage]:
    """Decode what a pod published; nothing where it is of another version."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
