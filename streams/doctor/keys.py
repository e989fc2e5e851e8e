"""Every key and channel of Redis that the service has, declared once; pure.

`make docs` writes docs/reference/keys.md from it. Each name follows `<REDIS_CHANNEL>`; what stands in `<…>` differs.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Key(NamedTuple):
    """A key, or all keys that differ in what stands in `<…>`; `expires` says whether it has a time to live."""

    name: str
    type: str
    holds: str
    size: str
    life: str
    expires: bool = False


class Channel(NamedTuple):
    """A channel of Pub/Sub, or all that differ in what stands in `<…>`."""

    name: str
    carries: str


ROSTER_LIFE = "while its store has lanes"
TALLY_LIFE = "made anew when it is missing"

KEYS = (
    Key(":log", "stream", "the journal: each durable event whole", "100,000 entries or so", "until `MAXLEN` trims it"),
    Key(
        ":log:lost",
        "stream",
        "marks of [what Redis itself lost](../topics/delivery.md#what-redis-itself-lost)",
        "16 entries",
        "for ever",
    ),
    Key(":log:met:<history>", "string", "that pods have met this history", "1 byte", "for ever; one for each failover"),
    Key(
        ":accepted:<eventId>",
        "string",
        "the record of an event that [was published over HTTP](api.md#the-same-again), without its `data`",
        "150 bytes",
        "`IDEMPOTENCY_SECONDS`",
        expires=True,
    ),
    Key(
        ":trace:<client>",
        "stream",
        "how the client's streams opened and ended, with its address",
        "`TRACE_KEPT` entries of 90 to 340 bytes",
        "a day after the last",
        expires=True,
    ),
    Key(
        ":traced:<client>",
        "stream",
        "the events of a client that is traced, without their `data`",
        "5,000 entries",
        "a day after the last",
        expires=True,
    ),
    Key(":tracing", "hash", "which clients are traced, and until when", "20 fields", "an hour", expires=True),
    Key(
        ":revoked",
        "hash",
        "which tokens are revoked",
        "a field for each, 100,000 at most",
        "a field until its tokens have expired",
    ),
    Key(
        ":pubsub-used",
        "string",
        "[that somebody publishes](../topics/delivery.md#where-only-the-journal-is-used) on the channel",
        "1 byte",
        "7 days",
        expires=True,
    ),
    Key(
        ":operators:attempts:<of>",
        "string",
        "how often a password was tried, by account and address",
        "1 number",
        "5 minutes",
        expires=True,
    ),
    Key(":operators:ended:<login>", "string", "a login that its operator ended", "1 byte", "12 hours", expires=True),
    Key(":doctor", "any", "what `manage.py doctor` tries its rights on", "1 field", "while it runs", expires=True),
    Key(
        ":roster:pods",
        "hash",
        "the pods, and what each says of itself",
        "a field for each life",
        "a day without a word",
    ),
    Key(
        ":roster:here:<history>:<store>",
        "hash",
        "[which pod has which client](../topics/one-stream.md#the-roster) of a store",
        "100 bytes a client",
        "2 days after the last claim",
        expires=True,
    ),
    Key(
        ":roster:seen:<store>", "hash", "when each client's last stream ended, and why", "a field a client", ROSTER_LIFE
    ),
    Key(":roster:known:<store>", "hash", "on which days each client was there", "a field a client", ROSTER_LIFE),
    Key(":roster:stores", "sorted set", "all stores", "a member a store", ROSTER_LIFE),
    Key(
        ":roster:of:<life>",
        "set",
        "the stores of a pod",
        "a member a store",
        "2 days after the last claim",
        expires=True,
    ),
    Key(":roster:dirty", "set", "stores that are to be summed up again", "a member a store", "until that is done"),
    Key(":roster:doing", "set", "those that are being summed up", "a member a store", "until that is done"),
    Key(
        ":roster:later", "sorted set", "stores that are to be looked at later", "a member a store", "until that is done"
    ),
    Key(
        ":roster:summary",
        "hash",
        "[the sum](../topics/one-stream.md#the-tally) of each store",
        "a field a store",
        ROSTER_LIFE,
    ),
    Key(":roster:by:<state>", "sorted set", "the stores in a state", "a member a store", TALLY_LIFE),
    Key(":roster:with:<state>", "sorted set", "the stores with lanes in a state", "a member a store", TALLY_LIFE),
    Key(
        ":roster:large:<store>", "sorted set", "the lanes of a store with over 1,000", "a member a client", ROSTER_LIFE
    ),
    Key(":roster:totals", "hash", "the sums of all stores", "9 fields", TALLY_LIFE),
    Key(":roster:tally", "hash", "what the tally knows of itself", "some fields", TALLY_LIFE),
    Key(":roster:lock", "string", "which pod sums up", "32 bytes", "some seconds", expires=True),
    Key(
        ":roster:answered",
        "string",
        "until when a pod has looked for [events that reached nobody](../operate/runbook.md#events-reach-nobody)",
        "1 number",
        "a minute",
        expires=True,
    ),
)

CHANNELS = (
    Channel("", "the events that are published with `PUBLISH`"),
    Channel(":canary:<life>", "what pods state of themselves once a second, and ask each other about what was lost"),
    Channel(
        ":pods:<…>", "Django's channel layer: which streams to end, which client is traced, which token is revoked"
    ),
)


def key_of(channel: str, name: str) -> Key | None:
    """Return the declared key that a name in Redis is one of."""
    return next((key for key in KEYS if _is(channel, key.name, name)), None)


def channel_of(channel: str, name: str) -> Channel | None:
    """Return the declared channel that a name in Redis is one of."""
    return next((each for each in CHANNELS if _is(channel, each.name, name)), None)


def _is(channel: str, declared: str, name: str) -> bool:
    """Say whether a name is one that is declared; of `<history>:<store>` only the last may hold a colon."""
    parts = [re.escape(part) for part in re.split(r"<[^>]*>", declared)]
    last = ".*" if declared.endswith(">") else ""
    pattern = "[^:]*".join(parts[:-1]) + last if last else "[^:]*".join(parts)
    return re.fullmatch(re.escape(channel) + pattern, name) is not None
