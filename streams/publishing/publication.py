"""What a back end says over HTTP of one event, and of many; pure."""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
from msgspec import Meta

from streams.errors import InvalidEvent
from streams.wire.publication import EventId, Outgoing, Timestamp, new_event_id
from streams.wire.timestamps import now_iso, unix_seconds

MAX_BATCH = 500
# What is nested more deeply is seldom meant, and no device reads it.
MAX_LEVELS = 200
MAX_KEY_CHARACTERS = 255
# What an id that was made of a key begins with.
KEYED = "idem-"


class Publication(Outgoing, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """One event to publish. Without `eventId` and `timestamp` the pod gives it some."""

    not_yet: ClassVar = ("key", "retain")
    event_id: EventId | None = None  # type: ignore[assignment]
    timestamp: Timestamp | None = None  # type: ignore[assignment]
    durable: Annotated[
        bool | None,
        Meta(
            description="into the journal, which pods read on from where they were, and not on the channel; "
            "PUBLISH_DOOR is the default"
        ),
    ] = None
    require_online: Annotated[bool, Meta(description="publish it only where the client is connected now")] = False

    def check(self) -> None:
        """Raise InvalidEvent where a field cannot be meant."""
        if levels(self.data) > MAX_LEVELS:
            raise InvalidEvent(f"data is nested over {MAX_LEVELS} levels deep.", "data")

    def over(self, now: float) -> InvalidEvent | None:
        """Return what is wrong with an event that has already expired; `now` is Unix time."""
        ends = None if self.deliver_by is None else unix_seconds(self.deliver_by)
        if ends is not None and ends <= now:
            return InvalidEvent("deliverBy is over: the event has already expired.", "deliverBy")
        sent = None if self.timestamp is None else unix_seconds(self.timestamp)
        if self.ttl_ms is not None and sent is not None and sent + self.ttl_ms / 1000 <= now:
            return InvalidEvent("ttlMs after timestamp is over: the event has already expired.", "ttlMs")
        return None

    def digest(self, count: int = 0) -> bytes:
        """Return what two events have in common only where they say the same, but for what the pod gives them.

        An event that stands for its whole request says of how many it is one.
        """
        said = msgspec.json.encode(self, order="deterministic")
        return hashlib.blake2b(b"%d %b" % (count, said), digest_size=16).hexdigest().encode()


class Batch(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Events that are published together, or none of them."""

    events: Annotated[list[Publication], Meta(min_length=1, max_length=MAX_BATCH)]


class KnownAs(NamedTuple):
    """An id under which an event is known afterwards, and the digest that says whether another one is the same."""

    id: str
    digest: bytes


class Draft(NamedTuple):
    """An event that is ready: what it is, its message, and under which ids it is known afterwards.

    An event without any is not guarded against a second one, and leaves no record.
    """

    event: Outgoing
    message: bytes
    durable: bool
    require_online: bool
    ids: tuple[KnownAs, ...]
    # Why it is not published unless it was before.
    over: InvalidEvent | None = None


class Defaults(NamedTuple):
    """What this pod's settings say of publishing: the default of `durable`, and how large an event may be."""

    durable: bool
    max_event_bytes: int


def draft(said: Publication, defaults: Defaults, key: str = "", number: int = 0, count: int = 1) -> Draft:
    """Make an event ready to be published.

    With an idempotency `key`, that of a caller, a second request with it is known; `number` is the event's place in
    its request of `count`. Raises InvalidEvent.
    """
    keyed = keyed_id(key, number) if key else ""
    event = Outgoing(
        said.client_name,
        said.action,
        said.data,
        said.event_id or keyed or new_event_id(),
        now_iso() if said.timestamp is None else said.timestamp,
        said.ttl_ms,
        said.deliver_by,
        said.receipt,
        said.traceparent,
    )
    # First, as nothing else is quick with what is too large.
    message = event.encode(defaults.max_event_bytes)
    said.check()
    ids = [KnownAs(keyed, said.digest(count))] if keyed else []
    if said.event_id or (said.receipt and not keyed):
        ids.append(KnownAs(event.event_id, said.digest()))
    if (over := said.over(time.time())) and not ids:
        raise over
    durable = defaults.durable if said.durable is None else said.durable
    return Draft(event, message, durable, said.require_online, tuple(ids), over)


def keyed_id(key: str, number: int) -> str:
    """Return the id of an event that has none of its own, from the key of its request."""
    return KEYED + hashlib.blake2b(f"{number} {key}".encode(), digest_size=16).hexdigest()


def levels(data: Any) -> int:
    """Return how deep a value is nested, and no more than is too deep; 0 is no container."""
    depth, layer = 0, [data]
    while depth <= MAX_LEVELS:
        inner = [value for value in layer if isinstance(value, dict | list)]
        if not inner:
            break
        depth += 1
        layer = [value for each in inner for value in (each.values() if isinstance(each, dict) else each)]
    return depth


def idempotency_key(header: str | None) -> str:
    """Read the header Idempotency-Key, a quoted string or a bare one; an empty string is none.

    https://www.ietf.org/archive/id/draft-ietf-httpapi-idempotency-key-header-07.html Raises InvalidEvent.
    """
    if header is None:
        return ""
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key or len(key) > MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise InvalidEvent(f"Idempotency-Key must be 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.")
    return key
