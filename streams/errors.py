"""The exceptions of the service and the reasons why a connection ends.

StreamError
├── ConfigurationError    a setting that cannot be used
│   └── EnvFileError      a `.env` file that cannot be read
├── UnusableMessage       a message on the Redis channel that no client can be sent
├── InvalidName           a client name that breaks the rule
├── TooManyTraces         no further client can be traced now
└── PublishError
    ├── InvalidEvent      an event that must not be published
    └── RedisUnavailable  Redis did not take it
        └── PublishUnknown  Redis may have taken it
"""

from __future__ import annotations

from enum import StrEnum


class StreamError(Exception):
    """The base of everything that this service raises on purpose."""


class ConfigurationError(StreamError):
    """A setting that cannot be used."""

    def __init__(self, variable: str, held: str, allowed: str) -> None:
        super().__init__(f"{variable} is {held!r}, but it must be {allowed}.")
        self.variable = variable


class EnvFileError(ConfigurationError):
    """A `.env` file that cannot be read; the sentence says which line of it."""

    def __init__(self, sentence: str) -> None:
        StreamError.__init__(self, sentence)
        self.variable = ""


class UnusableMessage(StreamError):
    """A message on the Redis channel that no client can be sent."""


class InvalidName(StreamError):
    """A client name that breaks the rule."""


class TooManyTraces(StreamError):
    """No further client can be traced now."""


class PublishError(StreamError):
    """An event was not published."""


class InvalidEvent(PublishError):
    """An event that must not be published: the caller has to change it; `field` is the one that is wrong, if one is."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class RedisUnavailable(PublishError):
    """Redis did not take the event: try again, or look at Redis."""


class PublishUnknown(RedisUnavailable):
    """Redis gave no answer, and may have taken the event.

    Publish it again with the same `event_id` and `timestamp`, so that it is the same message:
    a client that has it is not given it again.
    """

    def __init__(self, sentence: str, event_id: str, timestamp: object) -> None:
        super().__init__(sentence)
        self.event_id = event_id
        self.timestamp = timestamp


class CloseReason(StrEnum):
    """Why a connection ended; the same words in logs, metrics and pages.

    `sentence` says for a person what happened.
    """

    sentence: str

    CLIENT_CLOSED = "client-closed", "The client went away by itself."
    EVICTED = "evicted", "A newer connection of the same client took its place."
    SLOW_READER = "slow-reader", "The client did not read what was sent to it."
    DEAD_PEER = "dead-peer", "The client's machine stopped answering."
    DUEL = "duel", "Two devices with one name evicted each other again and again."
    DRAINING = "draining", "The pod is being replaced and sent its clients elsewhere."
    OVERLOADED = "overloaded", "The pod had more clients than it may have."
    MAX_LIFE = "max-life", "The stream reached its longest allowed duration."
    REBALANCED = "rebalanced", "The pod had far more clients than the others and sent some to them."
    OPERATOR = "operator", "An operator disconnected it."
    TOKEN_EXPIRED = "token-expired", "Its token ended, and no new one came."
    TOKEN_REVOKED = "token-revoked", "Its token was revoked."
    SERVER_STOPPED = "server-stopped", "The pod stopped."
    FAILED = "failed", "The service failed on this stream; the log has the traceback."

    # CloseReason("duel") looks a member up by its word alone.
    def __new__(cls, word: str, sentence: str = "") -> CloseReason:
        """Make a member of its word, which is its value, and its sentence."""
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.sentence = sentence
        return reason
