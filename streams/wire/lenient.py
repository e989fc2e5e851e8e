"""JSON that its grammar allows and msgspec refuses: lone surrogates, numbers of any size, more depth.

Nothing here is paid for by a message that msgspec reads at once.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

# What msgspec raises for bytes that it cannot read, UnicodeDecodeError among them.
UNREADABLE = (ValueError, RecursionError)
# How many levels of nesting are read, however many calls the caller is inside of.
LEVELS = 1000
# Stands in for a lone surrogate, which no UTF-8 can hold: https://www.rfc-editor.org/rfc/rfc8259#section-8.2
REPLACEMENT = "\ufffd"

Decoded = TypeVar("Decoded")

# Every escape is matched, so that `\\ud83d`, which is a backslash and five letters, is left alone.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_decode = msgspec.json.Decoder().decode


def read(decode: Callable[[bytes], Decoded], message: bytes, levels: int = LEVELS) -> Decoded:
    """Decode a message; where that fails, again with room for so many levels and without lone surrogates.

    Raises one of UNREADABLE for what is no JSON, or not what `decode` wants.
    """
    try:
        return decode(message)
    except (msgspec.DecodeError, RecursionError):
        with _room_for(levels):
            return decode(without_lone_surrogates(message))


def value_of(raw: msgspec.Raw) -> Any:
    """Return a value of a document; one that nothing can hold is infinite, or its bytes where it is no number.

    Raises UnicodeDecodeError for what is not UTF-8.
    """
    text = bytes(raw)
    try:
        return read(_decode, text)
    except (msgspec.DecodeError, RecursionError):
        with contextlib.suppress(ValueError):
            return float(text)
        return text


def without_lone_surrogates(message: bytes) -> bytes:
    """Return the document with U+FFFD in place of each escape of half a pair."""
    return _ESCAPE.sub(_mended, message)


def _mended(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape["lone"] is None else b"\\ufffd"


@contextlib.contextmanager
def _room_for(levels: int) -> Iterator[None]:
    """Let this thread go deeper by so many levels; other threads, for a moment, may do so too."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + levels)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
