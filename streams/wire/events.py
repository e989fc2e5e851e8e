"""The message on the Redis channel: decode what routes it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from streams.errors import InvalidName, UnusableMessage
from streams.wire.lenient import LEVELS, REPLACEMENT, UNREADABLE, read, value_of

MAX_NAME_CHARACTERS = 128
NAME_PATTERN = rf"[A-Za-z0-9][A-Za-z0-9._:-]{{0,{MAX_NAME_CHARACTERS - 1}}}"
CLIENT_NAME = re.compile(NAME_PATTERN)
NAME_RULE = f"1 to {MAX_NAME_CHARACTERS} characters of A-Z a-z 0-9 . _ : -, beginning with a letter or a digit"
MAX_EVENT_ID_CHARACTERS = 128

ACTIONS = ("signature", "payment", "receipt", "alert", "inventory", "status", "notification")


# The fields that route an event are all that is decoded; the rest is checked for being
# JSON and skipped. Outside the garbage collector: there is one for every message that
# Redis sends, and it never refers to itself.
class Event(msgspec.Struct, gc=False, rename="camel"):
    """The fields of a message that this service acts upon."""

    client_name: str
    event_id: Any = None
    timestamp: Any = None
    ttl_ms: Any = None
    deliver_by: Any = None


class Fields(msgspec.Struct, gc=False, rename="camel"):
    """The same fields as they stand in the message."""

    client_name: msgspec.Raw
    event_id: msgspec.Raw = msgspec.Raw(b"null")
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    ttl_ms: msgspec.Raw = msgspec.Raw(b"null")
    deliver_by: msgspec.Raw = msgspec.Raw(b"null")


# Raises one of UNREADABLE for some of what decode_event() can read.
decode_plain = msgspec.json.Decoder(Event).decode
_decode_fields = msgspec.json.Decoder(Fields).decode

# As numbers: Python looks for a byte string in another one by way of an exception.
LINE_FEED, CARRIAGE_RETURN = b"\n\r"


def valid_name(name: str) -> str:
    """Return the client name, or raise InvalidName with a sentence for the person who chose it."""
    if not isinstance(name, str):
        raise InvalidName("clientName must be a string.")
    if not CLIENT_NAME.fullmatch(name):
        raise InvalidName(f"clientName must be {NAME_RULE}.")
    return name


def name_fault(name: str) -> str:
    """Say on one short line what is wrong with a name that breaks the rule."""
    if not name:
        return "clientName is empty"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"clientName has {len(name)} characters, more than {MAX_NAME_CHARACTERS}: {name[:20]!a}…"
    wrong = next((character for character in name if not CLIENT_NAME.fullmatch(f"a{character}")), None)
    if wrong is None:
        return f"clientName begins with {name[0]!a}: {name!a}"
    shown = "U+FFFD or half a surrogate pair" if wrong == REPLACEMENT else ascii(wrong)
    return f"clientName holds {shown}: {name!a}"


def valid_event_id(event_id: str) -> bool:
    """Say whether an eventId may be an SSE `id:`: 1 to 128 printable ASCII characters."""
    if not event_id.isascii() or not event_id.isprintable() or not 0 < len(event_id) <= MAX_EVENT_ID_CHARACTERS:
        return False
    # HTTP strips them from a header: https://www.rfc-editor.org/rfc/rfc9110#name-field-values
    return " " not in event_id or event_id.strip(" ") == event_id


def decode_event(message: bytes, max_bytes: int) -> Event:
    """Decode the fields of a message from the channel that route it.

    Raises UnusableMessage with the reason.
    """
    if len(message) > max_bytes:
        raise UnusableMessage(f"{len(message)} bytes, over MAX_EVENT_BYTES ({max_bytes})")
    try:
        return decode_plain(message)
    except UNREADABLE:
        return _decode_field_by_field(message, LEVELS)


def decode_remembered(message: bytes) -> Event:
    """Decode a message that decode_event() took before.

    That may have been inside of fewer calls, which leaves room for more levels of nesting.
    """
    try:
        return decode_plain(message)
    except UNREADABLE:
        return _decode_field_by_field(message, 2 * LEVELS)


def _decode_field_by_field(message: bytes, levels: int) -> Event:
    """Decode what msgspec refuses and JSON's grammar allows; raises UnusableMessage for the rest."""
    try:
        fields = read(_decode_fields, message, levels)
        name, *others = (value_of(getattr(fields, field)) for field in Event.__struct_fields__)
    except UNREADABLE as error:
        raise UnusableMessage(_reason(error)) from None
    if not isinstance(name, str):
        raise UnusableMessage("clientName is no string")
    return Event(name, *others)


def payload_line(message: bytes) -> bytes:
    """Return a decoded message as one line of valid UTF-8, ready to stand behind `data:`.

    That is the message's own bytes, or, where it was printed over several lines, its
    compact form. Raises UnusableMessage where a string that decoding skipped is not UTF-8,
    and nothing else for bytes that were not decoded before.
    """
    # A line break outside a string is legal JSON, and the end of an SSE line.
    if LINE_FEED in message or CARRIAGE_RETURN in message:
        message = _on_one_line(message)
    if not message.isascii():
        try:
            message.decode()
        except UnicodeDecodeError as error:
            raise UnusableMessage(_reason(error)) from None
    return message


def _on_one_line(message: bytes) -> bytes:
    try:
        return msgspec.json.format(message, indent=-1)
    except UNREADABLE:
        # It refuses what decode_event() takes. A line break stands between two tokens only,
        # as no string may hold one, and none of them runs into the next without it.
        return message.translate(None, b"\n\r")


def _reason(error: Exception) -> str:
    """Say what is wrong with bytes that cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
