"""The page of one client: where it is in the cluster, and what the pod that is asked knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.cluster.look import Look
from dashboard.cluster.pages import ALONE
from dashboard.cluster.sentences import entry_row, met_nobody
from dashboard.cluster.words import lane_headline, lane_since, store_label
from dashboard.content.pages import NO_USER_AGENT, Content, client_content
from streams.http.listing import similar_name
from streams.roster.keys import store_of
from streams.roster.reading.lanes import Lane, LaneState
from streams.roster.reading.reader import RosterReader
from streams.roster.tracing.entries import TraceEntry
from streams.roster.tracing.merging import open_streams
from streams.roster.tracing.sentence import closing_sentence
from streams.wire.timestamps import iso, now_iso

LEVELS = {
    LaneState.CONNECTED: "good",
    LaneState.OFFLINE: "quiet",
    LaneState.UNKNOWN: "warning",
    LaneState.MISSING: "bad",
}
ENTRIES_SHOWN = 60
# Of names that hold another one, or a store's.
SIMILAR_READ = 100


@dataclass(frozen=True, slots=True)
class ClientPage:
    """The page of one client."""

    name: str

    async def read(self, look: Look) -> Content:
        """Return where it is and, as far as the pod that looks knows, what it was given and how it ended."""
        content = client_content(self.name, look.pod)
        lane = await look.fleet.reader.lane(self.name) if look.fleet else None
        entries = await look.timelines.trace(self.name) if look.fleet else []
        add_timeline(content, entries, lane.last_seen_at if lane is not None and lane.life is None else None)
        connection = look.pod.registry.get(self.name)
        content.texts["store"] = store_label(store_of(self.name))
        if lane is not None:
            content.texts |= lane_texts(lane)
        if connection is not None:
            # Nobody knows it sooner.
            content.texts |= {
                "headline": f"Connected to {look.pod.conf.pod_name}.",
                "state": LaneState.CONNECTED.value,
                "state_since": lane_since(lane) if lane and lane.life == look.life else iso(connection.connected_at),
                "pod": look.pod.conf.pod_name,
            }
            level = "good"
        elif look.fleet is None:
            content.texts["headline"] = f"Not connected to this pod. {ALONE.format(pod=look.pod.conf.pod_name)}"
            level = "warning"
        else:
            content.texts["headline"] = lane_headline(lane, look.life)
            level = LEVELS[lane.state] if lane else "quiet"
        content.levels["client"] = level
        content.shown |= {
            "known": lane is not None or connection is not None,
            "ended": bool(content.texts.get("last_seen")),
            "state_since": bool(content.texts.get("state_since")),
            "anywhere": level == "good",
        }
        if level == "good":
            content.shown["similar"] = False
        return content


def add_timeline(content: Content, entries: Sequence[TraceEntry], away_since: str | None) -> None:
    """Add what became of a client in the last day, newest first, and where its open stream comes from.

    `away_since` is since when the roster has no connection of it.
    """
    shown = entries[-ENTRIES_SHOWN:]
    nobody = met_nobody(entries, away_since)
    rows = [entry_row(entry, number, nobody=id(entry) in nobody) for number, entry in enumerate(shown)]
    content.rows["timeline"] = rows[::-1]
    content.shown |= {"no_entry": not entries, "more_entries": len(entries) > len(shown)}
    closing = closing_sentence(list(entries), now_iso()) if entries else ""
    content.texts["closing"] = f"{closing[0].upper()}{closing[1:]}." if closing else ""
    if streams := open_streams(entries):
        content.texts |= {"from": streams[-1].address, "agent": streams[-1].user_agent or NO_USER_AGENT}
    content.shown["from"] = bool(streams)


def lane_texts(lane: Lane) -> dict[str, str]:
    """Describe a lane."""
    return {
        "state": lane.state.value,
        "state_since": lane_since(lane),
        "pod": lane.pod_name or "not known",
        "expected": "yes" if lane.expected else "no",
        "last_seen": lane.last_seen_at or "",
        "last_reason": lane.last_reason or "",
    }


async def similar_to(name: str, look: Look) -> str:
    """Return the client that a person may have meant, whose name differs in small and capital letters only."""
    if found := similar_name(look.pod.registry, name):
        return found
    return await similar_in(look.fleet.reader, name) if look.fleet else ""


async def similar_in(reader: RosterReader, name: str) -> str:
    """Return the like of all pods."""
    store = store_of(name)
    stores = (await reader.stores(q=store, limit=SIMILAR_READ)).stores if store else []
    for each in [found.store for found in stores if found.store.casefold() == store.casefold()] or [""]:
        page = await reader.lanes(store=each, state=LaneState.CONNECTED, q=name, limit=SIMILAR_READ)
        for lane in page.clients:
            if lane.client_name.casefold() == name.casefold() and lane.client_name != name:
                return lane.client_name
    return ""
