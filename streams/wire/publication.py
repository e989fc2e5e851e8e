"""What a publisher may say of an event, whichever way it comes: declared, checked and encoded in one place."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streams.errors import InvalidEvent, InvalidName
from streams.wire.events import (
    MAX_EVENT_ID_CHARACTERS,
    NAME_PATTERN,
    NAME_RULE,
    valid_event_id,
    valid_name,
)
from streams.wire.timestamps import now_iso, unix_seconds

# Of a whole number that every JSON parser reads as it was meant.
MAX_TTL_MS = 2**53 - 1
TIME = "2026-01-05T12:00:00.000Z"
A_TIME = f"an ISO 8601 time, such as {TIME}, or epoch milliseconds"
# https://www.w3.org/TR/trace-context/#traceparent-header
TRACEPARENT = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
TRACEPARENT_CHARACTERS = 55
EVENT_ID_RULE = f"1 to {MAX_EVENT_ID_CHARACTERS} printable ASCII characters, without a blank at either end"

ClientName = Annotated[str, Meta(pattern=f"^{NAME_PATTERN}$", description=NAME_RULE, examples=["STORE001-LANE01"])]
Action = Annotated[str, Meta(min_length=1, description="a string that is not empty", examples=["signature"])]
EventId = Annotated[
    str,
    Meta(
        pattern=rf"^[!-~]([ -~]{{0,{MAX_EVENT_ID_CHARACTERS - 2}}}[!-~])?$",
        description=EVENT_ID_RULE,
        examples=["evt-1001"],
    ),
]
Timestamp = Annotated[
    str | int | float, Meta(description="an ISO 8601 time, or milliseconds since 1970", examples=[TIME])
]
TtlMs = Annotated[
    int,
    Meta(ge=1, le=MAX_TTL_MS, description=f"a whole number of milliseconds after timestamp, 1 to {MAX_TTL_MS}"),
]
DeliverBy = Annotated[
    str | int | float,
    Meta(description="an ISO 8601 time, or epoch milliseconds, after which no pod writes the event", examples=[TIME]),
]
Traceparent = Annotated[
    str,
    Meta(
        pattern=TRACEPARENT,
        # For Python `$` is also before a line feed at the end.
        max_length=TRACEPARENT_CHARACTERS,
        description="a W3C traceparent of four parts in small hexadecimal digits",
        examples=["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ),
]


def new_event_id() -> str:
    """Return an id that no other event has."""
    return f"evt-{secrets.token_hex(8).upper()}"


class Outgoing(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An event on its way to the pods; what its fields hold is checked when it is encoded.

    `timestamp` and `deliver_by` are ISO 8601 times or epoch milliseconds; `ttl_ms` counts milliseconds from
    `timestamp`. With `receipt` pods keep a record of what became of it.
    """

    client_name: ClientName
    action: Action
    data: Any = None
    event_id: EventId = msgspec.field(default_factory=new_event_id)
    timestamp: Timestamp = msgspec.field(default_factory=now_iso)
    ttl_ms: TtlMs | None = None
    deliver_by: DeliverBy | None = None
    receipt: Annotated[bool, Meta(description="whether a record is kept of what became of it")] = False
    traceparent: Traceparent | None = None

    def encode(self, max_bytes: int) -> bytes:
        """Return the message on the channel.

        Raises InvalidEvent, with a sentence for the publisher, where a pod could not deliver it as it stands.
        """
        event: dict[str, Any] = {
            "clientName": _checked_name(self.client_name),
            "action": self.action,
            "eventId": self.event_id,
            "timestamp": self.timestamp,
        }
        if not isinstance(self.action, str) or not self.action:
            raise InvalidEvent("action must be a string that is not empty.", "action")
        if not isinstance(self.event_id, str) or not valid_event_id(self.event_id):
            raise InvalidEvent(f"eventId must be {EVENT_ID_RULE}.", "eventId")
        if unix_seconds(self.timestamp) is None:
            raise InvalidEvent(f"timestamp must be {A_TIME}.", "timestamp")
        event |= self._deadline()
        event |= {"receipt": True} if self.receipt else {}
        event |= {"traceparent": self.traceparent} if self.traceparent is not None else {}
        event["data"] = self.data
        try:
            message = msgspec.json.encode(event)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidEvent(f"data cannot be written as JSON: {error}", "data") from None
        if len(message) > max_bytes:
            raise InvalidEvent(f"The event has {len(message)} bytes, more than MAX_EVENT_BYTES ({max_bytes}).", "data")
        return message

    def _deadline(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if self.ttl_ms is not None:
            if isinstance(self.ttl_ms, bool) or not isinstance(self.ttl_ms, int) or self.ttl_ms < 1:
                raise InvalidEvent("ttlMs must be a whole number of milliseconds, 1 or more.", "ttlMs")
            fields["ttlMs"] = self.ttl_ms
        if self.deliver_by is not None:
            if unix_seconds(self.deliver_by) is None:
                raise InvalidEvent(f"deliverBy must be {A_TIME}.", "deliverBy")
            fields["deliverBy"] = self.deliver_by
        return fields


def _checked_name(name: str) -> str:
    try:
        return valid_name(name)
    except InvalidName as error:
        raise InvalidEvent(str(error), "clientName") from None
