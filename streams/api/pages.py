"""What requests for pages may say, and what all pages have."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streams.api.fields import StoreName
from streams.roster.reading.lanes import Lane, LaneState, StoreState
from streams.wire.events import MAX_NAME_CHARACTERS

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100
CURSOR_PATTERN = rf"^[A-Za-z0-9._:-]{{0,{MAX_NAME_CHARACTERS}}}/?\Z"

Cursor = Annotated[str, Meta(pattern=CURSOR_PATTERN, description="the nextCursor of the page before")]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description=f"a whole number from 1 to {MAX_LIMIT:,}")]


def one_of(states: type[LaneState] | type[StoreState]) -> str:
    """Say which words there are."""
    *others, last = states
    return f"{', '.join(others)} or {last}"


class PageQuery(msgspec.Struct):
    """Which page."""

    cursor: Cursor = ""
    limit: Limit = DEFAULT_LIMIT


class StoresQuery(PageQuery):
    """Which page of stores."""

    state: Annotated[StoreState | UnsetType, Meta(description=one_of(StoreState))] = UNSET


class ClientsQuery(PageQuery):
    """Which page of clients; `store` may be empty, and `q` is a part of the name without regard to case."""

    store: StoreName | UnsetType = UNSET
    state: Annotated[LaneState | UnsetType, Meta(description=one_of(LaneState))] = UNSET
    q: Annotated[
        str, Meta(max_length=MAX_NAME_CHARACTERS, description=f"{MAX_NAME_CHARACTERS} characters at the most")
    ] = ""


class Client(msgspec.Struct, rename="camel", omit_defaults=True):
    """One client; what is not known of it is left out. Times are ISO 8601 by Redis' clock.

    The last three are known of one that is connected, and asked for alone.
    """

    client_name: str
    state: LaneState
    expected: bool
    pod_name: str | None = None
    life: str | None = None
    since: str | None = None
    last_seen_at: str | None = None
    last_reason: str | None = None
    missing_since: str | None = None
    address: str | None = None
    user_agent: str | None = None
    event_count: int | None = None


def client_of(lane: Lane) -> Client:
    """Return a lane as it is answered."""
    return Client(**msgspec.structs.asdict(lane))
