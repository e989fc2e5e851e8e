"""How a request to pass a lock ends, and the exception for a token that opens none."""

from __future__ import annotations

from enum import StrEnum

from streams.auth.rights import Holder
from streams.errors import StreamError


class Result(StrEnum):
    """How it was decided; the values are those of the metric's label."""

    OK = "ok"
    NONE = "none"
    INVALID = "invalid"
    EXPIRED = "expired"
    SCOPE = "scope"
    REVOKED = "revoked"


class BadToken(StreamError):
    """A token that opens nothing: Result.INVALID, or Result.EXPIRED where time alone is what is wrong.

    The sentence holds nothing of the token, and may be shown to whoever sent it. `holder` is whom an expired one
    named: it may be out of scope or revoked as well.
    """

    def __init__(self, result: Result, sentence: str, holder: Holder | None = None) -> None:
        super().__init__(sentence)
        self.result = result
        self.sentence = sentence
        self.holder = holder


class BadKeys(StreamError):
    """Keys that cannot be used; the sentence says what to change, and holds nothing of them."""
