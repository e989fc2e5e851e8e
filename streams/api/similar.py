"""Which names a person may have meant who asks for one that was never seen."""

from __future__ import annotations

import difflib

from streams.roster.keys import store_of
from streams.roster.reader import RosterReader
from streams.roster.reads import DONE

MAX_SIMILAR = 3
# So many stores with the same beginning, or lanes of one store, are looked through.
LOOKED_THROUGH = 300
# As difflib measures it: one letter of ten.
CLOSE = 0.8


async def similar_names(reader: RosterReader, name: str) -> list[str]:
    """Return names that differ in small and capital letters only, or else by little; the closest come first."""
    page = await reader.lanes(q=name, limit=LOOKED_THROUGH)
    alike = [lane.client_name for lane in page.clients if lane.client_name.casefold() == name.casefold()]
    if alike:
        return alike[:MAX_SIMILAR]
    candidates: list[str] = []
    for store in await similar_stores(reader, store_of(name)):
        lanes = await reader.lanes(store=store, limit=LOOKED_THROUGH)
        candidates += [lane.client_name for lane in lanes.clients]
    return difflib.get_close_matches(name, candidates, MAX_SIMILAR, CLOSE)


async def similar_stores(reader: RosterReader, store: str) -> list[str]:
    """Return a store itself where there is one, or those whose names begin alike and differ by little."""
    beginning = store[: len(store) // 2]
    cursors = dict.fromkeys((beginning, beginning.upper(), beginning.lower()))
    found: dict[str, None] = {}
    for cursor in cursors:
        page = await reader.stores(cursor=cursor + DONE, limit=LOOKED_THROUGH)
        found |= dict.fromkeys(each.store for each in page.stores)
    found[store] = None
    folded = {each.casefold(): each for each in found}
    return [folded[each] for each in difflib.get_close_matches(store.casefold(), list(folded), MAX_SIMILAR, CLOSE)]


def did_you_mean(names: list[str]) -> str:
    """Return the names as the end of a sentence, or an empty string."""
    return f" Did you mean {' or '.join(names)}?" if names else ""
