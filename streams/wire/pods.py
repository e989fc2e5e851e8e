"""What pods tell each other on the canary's channel, in the order of the channel itself.

A message is a JSON array. Whoever does not understand one, such as a pod of an earlier
version, ignores it.
"""

from __future__ import annotations

import msgspec


class Statement(msgspec.Struct, tag="statement"):
    """A pod's proof of itself: what it publishes comes back, and how far it has heard.

    `sent` is in the pod's own monotonic seconds; `ages` say how many seconds ago it had heard
    everything, of the channel and of the journal.
    """

    life: str
    pod_name: str
    sent: float
    ages: tuple[float, float]


class Question(msgspec.Struct, tag="question"):
    """Asked by a pod whom a client came back to: what did it read before the event with this id?"""

    life: str
    number: int
    client_name: str
    event_id: str


class Answer(msgspec.Struct, tag="answer"):
    """Said by a pod that wrote that event to the client: the digests of what it wrote shortly before."""

    life: str
    number: int
    digests: list[str]


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
