"""Lanes, stores and moments in words; pure."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.content import formats
from dashboard.content.formats import counted, named
from streams.errors import CloseReason
from streams.roster.keys import SEPARATOR, store_of
from streams.roster.reading.lanes import Lane, LaneState, Store, StoreState

# In addresses: no store can be called so.
NAMELESS = "-"
CLOSE_SENTENCES = {reason.value: reason.sentence for reason in CloseReason}
POD_LOST = "Its pod was lost."


def store_label(store: str) -> str:
    """Return what a store is called on a page."""
    return store or "without a store"


def store_address(store: str) -> str:
    """Return the last part of the address of a store's page."""
    return store or NAMELESS


def short(client_name: str) -> str:
    """Return a lane's name within its store."""
    store = store_of(client_name)
    return client_name.removeprefix(store + SEPARATOR) if store else client_name


def since(at: str, now: str) -> str:
    """Write an ISO time as short as it is clear: without the day where it is today's."""
    day, _, time = at.partition("T")
    return f"{time[:5]} UTC" if now.startswith(day) else f"{day} {time[:5]} UTC"


def ended(lane: Lane) -> str:
    """Say how a lane's last connection ended; nothing where it had none."""
    if not lane.last_reason:
        return ""
    return CLOSE_SENTENCES.get(lane.last_reason, POD_LOST)


def lane_headline(lane: Lane | None, own_life: str) -> str:
    """Say where a lane is; `own_life` is that of the pod that says so, to which it is not connected."""
    if lane is None:
        return "No client of this name is known."
    pod = lane.pod_name or "a pod"
    match lane.state:
        case LaneState.CONNECTED if lane.life == own_life:
            return f"Its connection to {pod} has just begun or ended."
        case LaneState.CONNECTED:
            return f"Connected to {pod}."
        case LaneState.UNKNOWN:
            return f"Unknown: {pod}, to which it was connected, is not heard."
        case LaneState.MISSING:
            if not lane.missing_since:
                return "Missing: it is expected, and no connection of it is known."
            return f"Missing: it is expected, and not connected. {ended(lane)}".rstrip()
        case LaneState.OFFLINE:
            return f"Not connected. {ended(lane)}".rstrip()


def lane_since(lane: Lane) -> str:
    """Return the ISO time since when a lane is where it is, or nothing where nobody knows."""
    return (lane.missing_since if lane.state is LaneState.MISSING else lane.since) or ""


def store_headline(store: Store, missing: Sequence[Lane], now: str) -> str:
    """Say how a store is; `missing` are its missing lanes."""
    there = f"{formats.count(store.connected)} of {counted(store.lanes, 'lane')} connected"
    match store.state:
        case StoreState.DARK:
            when = f" since {since(store.dark_since, now)}" if store.dark_since else ""
            return f"Dark{when}: {_away(store)}."
        case StoreState.PARTIAL:
            return f"{there}; {missing_text(store.missing, missing, now)}."
        case StoreState.COMPLETE:
            return f"{there}; no lane that is expected is missing."


def _away(store: Store) -> str:
    if store.lanes == 1:
        return "its only lane is not connected"
    return f"none of its {counted(store.lanes, 'lane')} is connected, {formats.count(store.expected)} of them expected"


def missing_text(names: Sequence[str], missing: Sequence[Lane], now: str) -> str:
    """Name the missing lanes of one store, and since when the first of them is away."""
    moments = [lane.missing_since for lane in missing if lane.missing_since]
    when = f" since {since(min(moments), now)}" if moments else ""
    return f"{named([short(name) for name in names])} {'is' if len(names) == 1 else 'are'} missing{when}"
