"""Rows of the cluster's tables: pods, stores, lanes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from dashboard.cluster.words import lane_since, short, store_address, store_label
from dashboard.content import formats
from dashboard.content.formats import named
from dashboard.content.pages import Row
from streams.roster.keys import store_of
from streams.roster.lives import Heard
from streams.roster.reading.lanes import Lane, Store
from streams.wire.timestamps import iso

# A pod that is gone is listed for so long, unless one of its name is there.
GONE_SECONDS = 600.0
GONE = "not heard"
OWN = "this pod"
ELSEWHERE = "its own page is at that pod alone"


def pods_shown(pods: Sequence[Heard]) -> list[Heard]:
    """Leave out what stopped long ago, or was started again."""
    names = {heard.says.pod_name for heard in pods if heard.alive}
    return [
        heard
        for heard in pods
        if heard.alive or (heard.silent_seconds < GONE_SECONDS and heard.says.pod_name not in names)
    ]


def pod_row(heard: Heard, own_life: str) -> Row:
    """Write one row of the table of pods."""
    says = heard.says
    return [
        heard.life,
        says.pod_name,
        OWN if heard.life == own_life else ELSEWHERE if heard.alive else "",
        says.state if heard.alive else GONE,
        says.version,
        formats.count(says.connections) if heard.alive else "",
        formats.rate(says.events_per_second) if heard.alive else "",
        f"{says.loop_lag_ms:.0f} ms" if heard.alive else "",
        iso(time.time() - heard.silent_seconds),
    ]


def store_row(store: Store, missing: Iterable[Lane] = ()) -> Row:
    """Write one row of a table of stores; `missing` are its missing lanes, of which it needs none.

    It ends with the moment since when the first of them is away, or since when the store is dark.
    """
    moments = [lane.missing_since for lane in missing if lane.missing_since]
    return [
        store.store,
        store_label(store.store),
        store_address(store.store),
        store.state,
        f"{formats.count(store.connected)} of {formats.count(store.lanes)}",
        formats.count(store.expected),
        named([short(name) for name in store.missing]),
        formats.count(store.unknown),
        store.dark_since or min(moments, default=""),
    ]


def attention_rows(stores: Iterable[Store], missing: Sequence[Lane]) -> list[Row]:
    """Write the rows of the stores that need attention."""
    by_store: dict[str, list[Lane]] = {}
    for lane in missing:
        by_store.setdefault(store_of(lane.client_name), []).append(lane)
    return [store_row(store, by_store.get(store.store, ())) for store in stores]


def lane_row(lane: Lane) -> Row:
    """Write one row of the table of a store's lanes."""
    return [
        lane.client_name,
        short(lane.client_name),
        lane.client_name,
        lane.state,
        lane.pod_name or "",
        lane_since(lane),
        lane.last_seen_at or "",
        lane.last_reason or "",
        "yes" if lane.expected else "no",
    ]
