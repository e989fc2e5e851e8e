"""What the cluster's pages show: the same content for their templates and for the streams that keep them live."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from dashboard.cluster.look import Fleet, Look
from dashboard.cluster.rows import attention_rows, lane_row, pod_row, pods_shown, store_row
from dashboard.cluster.strips import strip_of
from dashboard.cluster.verdict import judge_cluster
from dashboard.cluster.words import store_headline
from dashboard.content import formats
from dashboard.content.formats import counted
from dashboard.content.pages import Content
from dashboard.content.verdict import judge
from streams import VERSION
from streams.roster.lives import Heard, Life
from streams.roster.reading.lanes import LaneState, Store, StoreState, Totals
from streams.roster.reading.reader import RosterReader
from streams.wire.timestamps import now_iso

STORES_NAMED = 20
MISSING_NAMED = 200
STORES_PER_PAGE = 50
LANES_PER_PAGE = 100
MAX_QUERY = 128
MAX_CURSOR = 256
# In which order stores are listed: what needs somebody first.
ORDER = (StoreState.PARTIAL, StoreState.DARK, StoreState.COMPLETE)
ALONE = "Redis does not say now which clients the other pods have: all that is shown is what {pod} alone knows."


@dataclass(frozen=True, slots=True)
class FrontPage:
    """The whole cluster: pods, sums, and the stores that need attention."""

    async def read(self, look: Look) -> Content:
        """Return it; where Redis says nothing, this pod alone."""
        return await front_of(look.fleet, look.life) if look.fleet else front_alone(look)


@dataclass(frozen=True, slots=True)
class StoresPage:
    """Stores in one state or in any, with a part of their names; `cursor` is the one that the page before gave."""

    state: str = ""
    query: str = ""
    cursor: str = ""

    @classmethod
    def parse(cls, parameters: Mapping[str, Any]) -> Self:
        """Read the parameters of an address; what makes no sense counts as not given."""
        state = parameters.get("state", "")
        return cls(
            state if state in ORDER else "",
            parameters.get("q", "").strip()[:MAX_QUERY],
            parameters.get("cursor", "")[:MAX_CURSOR],
        )

    def address(self, **changes: Any) -> str:
        """Return the query string that asks for this page, with changes."""
        page = replace(self, **changes)
        parameters = {"state": page.state, "q": page.query, "cursor": page.cursor}
        return "?" + urlencode({name: value for name, value in parameters.items() if value})

    async def read(self, look: Look) -> Content:
        """Return a page of stores, and how many there are in which state."""
        if look.fleet is None:
            return unknown_content(look)
        stores, cursor, as_of = await self.find(look.fleet.reader)
        return Content(
            texts={"as_of": as_of, **store_counts(look.fleet.totals)},
            rows={"stores": [store_row(store) for store in stores]},
            shown={"alone": False, "known": True, "no_store": not stores, "next": bool(cursor)},
            addresses={"next": self.address(cursor=cursor)},
        )

    async def find(self, reader: RosterReader) -> tuple[list[Store], str, str]:
        """Return the stores, the cursor of the next page or an empty one, and as of when they are."""
        first, _, cursor = self.cursor.partition(":")
        states = [state for state in ORDER if self.state in ("", state)]
        states = states[states.index(StoreState(first)) :] if first in states else states
        cursor = cursor if first in states else ""
        found: list[Store] = []
        as_of = ""
        for state in states:
            if len(found) == STORES_PER_PAGE:
                return found, f"{state}:", as_of
            page = await reader.stores(state=state, q=self.query, cursor=cursor, limit=STORES_PER_PAGE - len(found))
            found, as_of = found + page.stores, as_of or page.as_of
            if page.next_cursor:
                return found, f"{state}:{page.next_cursor}", as_of
            cursor = ""
        return found, "", as_of


@dataclass(frozen=True, slots=True)
class StorePage:
    """One store and a page of its lanes."""

    store: str
    cursor: str = ""

    async def read(self, look: Look) -> Content:
        """Return how the store is and a page of its lanes."""
        if look.fleet is None:
            return unknown_content(look)
        reader = look.fleet.reader
        found = await reader.store(self.store)
        if found is None:
            texts = {"headline": "No lane of this store is known."}
            return Content(texts, shown={"alone": False, "known": False, "next": False}, levels={"store": "quiet"})
        store, lanes = found
        page = await reader.lanes(store=self.store, cursor=self.cursor, limit=LANES_PER_PAGE)
        transitions = await look.timelines.transitions([lane.client_name for lane in page.clients])
        now = time.time()
        missing = [lane for lane in lanes if lane.state is LaneState.MISSING]
        level = {StoreState.COMPLETE: "good", StoreState.PARTIAL: "warning", StoreState.DARK: "quiet"}[store.state]
        return Content(
            texts={
                "headline": store_headline(store, missing, now_iso()),
                "connected": formats.count(store.connected),
                "expected": formats.count(store.expected),
                "missing": formats.count(len(missing)),
                "unknown": formats.count(store.unknown),
                "offline": formats.count(store.offline),
            },
            rows={
                "lanes": [
                    [*lane_row(lane), *strip_of(lane, transitions[lane.client_name], now)] for lane in page.clients
                ]
            },
            shown={"alone": False, "known": True, "next": bool(page.next_cursor)},
            levels={"store": level},
            addresses={"next": f"?{urlencode({'cursor': page.next_cursor or ''})}"},
        )


async def front_of(fleet: Fleet, own_life: str) -> Content:
    """Return the front page as Redis has it."""
    totals, alive, reader = fleet.totals, fleet.alive, fleet.reader
    missing = (await reader.lanes(state=LaneState.MISSING, limit=MISSING_NAMED)).clients
    partial = (await reader.stores(state=StoreState.PARTIAL, limit=STORES_NAMED)).stores
    dark = (await reader.stores(state=StoreState.DARK, limit=STORES_NAMED)).stores
    verdict = judge_cluster(totals, alive, missing, dark, now_iso())
    attention = [*partial, *dark][:STORES_NAMED]
    more = totals.partial_stores + totals.dark_stores - len(attention)
    return Content(
        texts={
            "headline": verdict.headline,
            **sums(totals, [heard.says for heard in alive]),
            "more_stores": f"{counted(max(0, more), 'more store')} in need of attention",
        },
        rows={
            "notices": [[notice, notice] for notice in verdict.notices],
            "pods": [pod_row(heard, own_life) for heard in pods_shown(fleet.pods)],
            "attention": attention_rows(attention, missing),
        },
        shown={"alone": False, "known": True, "fine": not attention, "more_stores": more > 0},
        levels={"cluster": verdict.level},
    )


def front_alone(look: Look) -> Content:
    """Return the front page as this pod knows it by itself."""
    pod = look.pod
    verdict = judge(pod, look.sampler)
    notice = ALONE.format(pod=pod.conf.pod_name)
    latest = look.sampler.samples[-1].delivered_per_second if look.sampler.samples else 0.0
    lag_ms = 1000 * pod.vitals.loop_lag_seconds
    life = Life(pod.conf.pod_name, VERSION, "", pod.state, len(pod.registry), latest, lag_ms)
    content = unknown_content(look)
    content.texts |= {
        "headline": verdict.headline,
        "connected": formats.count(life.connections),
        "connected_note": f"on {life.pod_name} alone",
        **dict.fromkeys(("missing", "stores", "pods"), "?"),
        **dict.fromkeys(("missing_note", "stores_note", "pods_note"), "not known now"),
    }
    content.rows = {
        "notices": [[text, text] for text in (notice, *verdict.notices)],
        "pods": [pod_row(Heard(look.life, life, 0.0), look.life)],
        "attention": [],
    }
    content.shown |= {"fine": False, "more_stores": False}
    content.levels["cluster"] = "bad" if verdict.level == "bad" else "warning"
    return content


def unknown_content(look: Look) -> Content:
    """Return what every page says where Redis says nothing."""
    return Content(
        texts={"headline": ALONE.format(pod=look.pod.conf.pod_name)},
        shown={"alone": True, "known": False, "no_store": False, "next": False},
        levels={"store": "warning"},
    )


def sums(totals: Totals, lives: list[Life]) -> dict[str, str]:
    """Write the sums of the whole cluster."""
    rate = formats.rate(sum(life.events_per_second for life in lives))
    stores = store_counts(totals)
    unknown = f", {formats.count(totals.unknown)} unknown" if totals.unknown else ""
    return {
        "connected": formats.count(totals.connected),
        "connected_note": f"of {counted(totals.lanes, 'lane')}, {formats.count(totals.expected)} expected",
        "missing": formats.count(totals.missing),
        "missing_note": f"in {counted(totals.partial_stores, 'store')}{unknown}",
        "stores": stores["all"],
        "stores_note": f"{stores['complete']} complete, {stores['partial']} partial, {stores['dark']} dark",
        "pods": formats.count(len(lives)),
        "pods_note": f"{rate} events delivered a second",
    }


def store_counts(totals: Totals) -> dict[str, str]:
    """Write how many stores are in which state."""
    complete = totals.stores - totals.partial_stores - totals.dark_stores
    return {
        "all": formats.count(totals.stores),
        StoreState.PARTIAL.value: formats.count(totals.partial_stores),
        StoreState.DARK.value: formats.count(totals.dark_stores),
        StoreState.COMPLETE.value: formats.count(complete),
    }
