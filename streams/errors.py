"""The exceptions of the service and the reasons why a connection ends.

StreamError
├── ConfigurationError    a setting that cannot be used
├── UnusableMessage       a message on the Redis channel that no client can be sent
├── InvalidName           a client name that breaks the rule
└── PublishError
    ├── InvalidEvent      an event that must not be published
    └── RedisUnavailable  Redis did not take it
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


class UnusableMessage(StreamError):
    """A message on the Redis channel that no client can be sent."""


class InvalidName(StreamError):
    """A client name that breaks the rule."""


class PublishError(StreamError):
    """An event was not published."""


class InvalidEvent(PublishError):
    """An event that must not be published: the caller has to change it."""


class RedisUnavailable(PublishError):
    """Redis did not take the event: try again, or look at Redis."""


class CloseReason(StrEnum):
    """Why a connection ended; the same words in logs, metrics and pages."""

    CLIENT_CLOSED = "client-closed"
    EVICTED = "evicted"
    SLOW_READER = "slow-reader"
    DEAD_PEER = "dead-peer"
    DUEL = "duel"
    DRAINING = "draining"
    OVERLOADED = "overloaded"
    MAX_LIFE = "max-life"
    OPERATOR = "operator"
    SERVER_STOPPED = "server-stopped"
    FAILED = "failed"
