"""The document of what pods send and read: AsyncAPI 3.0, made from the types.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams import VERSION
from streams.api.documents.messages import FAREWELL_TYPES, SUMMARIES, Connected, StreamGap, TokenExpiring
from streams.api.documents.schemas import REFERENCE, schemas_of
from streams.broker.journal.reader import EVENT_FIELD, JOURNAL_SUFFIX
from streams.conf import StreamSettings
from streams.delivery.notices import EVICTED_RETRY_MS, RETRY_MS
from streams.wire.events import NAME_RULE
from streams.wire.publication import EventId, Outgoing

# Farewells with which some clients are to stay away for longer.
TWO_WAITS = ("evicted", "unauthorized")
CHANNEL: str = next(field.default for field in msgspec.structs.fields(StreamSettings) if field.name == "redis_channel")
JSON = "application/json"
ABOUT = """\
What a pod sends to devices on their streams, and what pods read from Redis, on the channel and in the journal.

A frame of a stream has its JSON in `data:`; `id:`, `event:` and `retry:` stand here as headers. All streams are one \
connection for each client name: the newer one takes the place of the older."""
REQUEST = """\
`GET /events/NAME` stays open. Where a client goes on: `Last-Event-ID`, a header that an EventSource sends by itself, \
or `lastEventId`, after that event; `since`, with the events of the last seconds; else with live ones."""


def asyncapi_document() -> dict[str, Any]:
    """Return the document."""
    messages, schemas = stream_messages()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "SSE Redis Service", "version": VERSION, "description": ABOUT, "license": {"name": "ISC"}},
        "defaultContentType": JSON,
        "servers": {
            "pod": {"host": "localhost:3000", "protocol": "http", "description": "Any pod, or the front door."},
            "redis": {"host": "localhost:6379", "protocol": "redis", "description": "What REDIS_URL names."},
        },
        "channels": channels(messages),
        "operations": operations(messages),
        "components": {"messages": messages | redis_messages(), "schemas": dict(sorted(schemas.items()))},
    }


def stream_messages() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what stands on a stream, and the schemas that it refers to."""
    types = {"connected": Connected, "streamGap": StreamGap, "tokenExpiring": TokenExpiring, **FAREWELL_TYPES}
    (*_notices, event_id), schemas = schemas_of([*types.values(), Outgoing, EventId])
    event = schemas.pop(Outgoing.__name__)
    # A pod delivers what names its client, whatever else it says.
    schemas["Event"] = {**event, "title": "Event", "required": ["clientName"], "additionalProperties": True}
    retry, long_retry = retry_field(RETRY_MS), retry_field(EVICTED_RETRY_MS)
    either = {"anyOf": [retry, long_retry]}
    messages = {
        "event": message("Event", "An event, as it was published, on one line", {"id": event_id}),
        "connected": message("Connected", "The first frame: from now on every event comes", {"retry": retry}),
        "streamGap": message("StreamGap", "Events may be missing", {"event": {"const": "stream-gap"}}),
        "tokenExpiring": message(
            "TokenExpiring",
            "The token ends soon: send a new one to POST /events/NAME/token",
            {"event": {"const": "token-expiring"}},
        ),
        **{
            name: message(
                name.capitalize(),
                SUMMARIES[name],
                {"event": {"const": name}, "retry": either if name in TWO_WAITS else retry},
            )
            for name in FAREWELL_TYPES
        },
        "heartbeat": {
            "summary": "A comment, which keeps the connection alive; an EventSource shows nothing of it",
            "contentType": "text/plain",
            "payload": {"type": "string", "pattern": "^heartbeat ", "examples": ["heartbeat 2026-01-05T12:00:30.000Z"]},
        },
    }
    return messages, schemas


def message(schema: str, summary: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose payload is a schema, in a frame with some fields."""
    required = [name for name in fields if name != "id"]
    headers = {"type": "object", "properties": fields, **({"required": required} if required else {})}
    return {
        "summary": summary,
        "contentType": JSON,
        "headers": headers,
        "payload": {"$ref": REFERENCE.format(name=schema)},
        "bindings": {"http": {"statusCode": 200, "bindingVersion": "0.3.0"}},
    }


def retry_field(bounds: tuple[int, int]) -> dict[str, Any]:
    """Return how long a client is to wait before it connects again."""
    low, high = bounds
    return {"type": "integer", "minimum": low, "maximum": high, "description": "milliseconds, drawn for each client"}


def redis_messages() -> dict[str, Any]:
    """Return what stands in Redis."""
    event = {"$ref": REFERENCE.format(name="Event")}
    field = EVENT_FIELD.decode()
    said = {"type": "string", "contentMediaType": JSON, "description": "an Event, as JSON in UTF-8"}
    entry = {"type": "object", "properties": {field: said}, "required": [field]}
    return {
        "published": {"summary": "An event for one client", "contentType": JSON, "payload": event},
        "entry": {"summary": "An event for one client, which pods that were away read later", "payload": entry},
    }


def channels(messages: dict[str, Any]) -> dict[str, Any]:
    """Return where messages are sent and read."""
    name = {"description": NAME_RULE, "examples": ["STORE001-LANE01"]}
    channel = {"description": "REDIS_CHANNEL", "default": CHANNEL}
    return {
        "stream": {
            "address": "/events/{clientName}",
            "title": "The stream of one client",
            "description": REQUEST,
            "servers": [{"$ref": "#/servers/pod"}],
            "parameters": {"clientName": name},
            "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in messages},
        },
        "channel": {
            "address": "{channel}",
            "title": "The channel",
            "description": "Pub/Sub: what is published while a pod is away, that pod does not get.",
            "servers": [{"$ref": "#/servers/redis"}],
            "parameters": {"channel": channel},
            "messages": {"published": {"$ref": "#/components/messages/published"}},
        },
        "journal": {
            "address": "{channel}" + JOURNAL_SUFFIX,
            "title": "The journal",
            "description": "A Redis Stream, which pods read on from where they were; DURABLE_LOG.",
            "servers": [{"$ref": "#/servers/redis"}],
            "parameters": {"channel": channel},
            "messages": {"entry": {"$ref": "#/components/messages/entry"}},
        },
    }


def operations(messages: dict[str, Any]) -> dict[str, Any]:
    """Return what a pod does on each channel."""
    query = {
        "type": "object",
        "properties": {
            "lastEventId": {"type": "string", "description": "the `id:` of the last event that the client has"},
            "since": {"type": "number", "minimum": 0, "description": "seconds"},
        },
    }
    return {
        "deliver": {
            "action": "send",
            "channel": {"$ref": "#/channels/stream"},
            "summary": "Send a client its events, and what the pod has to say",
            "bindings": {"http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}},
            "messages": [{"$ref": f"#/channels/stream/messages/{each}"} for each in messages],
        },
        "readChannel": {
            "action": "receive",
            "channel": {"$ref": "#/channels/channel"},
            "summary": "Take what a back end publishes with PUBLISH",
        },
        "readJournal": {
            "action": "receive",
            "channel": {"$ref": "#/channels/journal"},
            "summary": "Take what a back end appends with XADD, durably",
        },
    }
