"""Lanes and stores as an operator sees them."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class LaneState(StrEnum):
    """Where a lane is."""

    CONNECTED = "connected"
    # Its connection ended.
    OFFLINE = "offline"
    # Its pod is not heard.
    UNKNOWN = "unknown"
    # Expected, and not connected for MISSING_SECONDS.
    MISSING = "missing"


class StoreState(StrEnum):
    """How a store is: all expected lanes are there, some are missing, or all are away."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    DARK = "dark"


class Lane(msgspec.Struct, rename="camel", omit_defaults=True):
    """One lane. Times are ISO 8601 by Redis' clock.

    `since` is when it got into its state, `last_seen_at` when its last connection ended, for `last_reason`.
    `missing_since` is since when a missing lane is away, MISSING_SECONDS or more before it was called missing.
    `pod_name` is the pod that has it, or had it last. A moment that nobody knows is left out.
    """

    client_name: str
    state: LaneState
    expected: bool = False
    pod_name: str | None = None
    life: str | None = None
    since: str | None = None
    last_seen_at: str | None = None
    last_reason: str | None = None
    missing_since: str | None = None


class Store(msgspec.Struct, rename="camel", omit_defaults=True):
    """One store: its state, and how many of its lanes are in which; of the missing the first 1,000 names.

    A lane is counted once, in the state that it is in. `dark_since` is when the last lane of a dark one went.
    """

    store: str
    state: StoreState
    lanes: int
    expected: int
    connected: int
    offline: int
    unknown: int
    missing: list[str]
    dark_since: str | None = None


class Totals(msgspec.Struct, rename="camel"):
    """The whole cluster."""

    stores: int
    lanes: int
    expected: int
    connected: int
    offline: int
    unknown: int
    missing: int
    dark_stores: int
    partial_stores: int
    pods: int


class Lanes(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page of lanes in the order of their stores, then of their names.

    It may hold fewer than were asked for, or none; it is the last where there is no `next_cursor`.
    """

    clients: list[Lane]
    as_of: str
    next_cursor: str | None = None


class Stores(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page of stores in the order of their names; the last where there is no `next_cursor`.

    It may hold fewer than were asked for.
    """

    stores: list[Store]
    as_of: str
    next_cursor: str | None = None
