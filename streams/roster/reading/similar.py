"""Which names a person may have meant who asks for one that is not known."""

from __future__ import annotations

import difflib

from streams.roster.keys import store_of
from streams.roster.reading.reader import RosterReader
from streams.roster.reading.reads import DONE

MAX_SIMILAR = 3
# So many stores with the same beginning, or lanes of one store, are looked through.
LOOKED_THROUGH = 300
# As difflib measures it: one letter of ten.
CLOSE = 0.8


async def similar_names(reader: RosterReader, name: str) -> list[str]:
    """Return names that differ in small and capital letters only, or else by little; the closest come first."""
    # The first page may not come as far as where these two are.
    alike = [each for each in (name.upper(), name.lower()) if each != name and await reader.lane(each)]
    page = await reader.lanes(q=name, limit=LOOKED_THROUGH)
    alike += [lane.client_name for lane in page.clients if lane.client_name.casefold() == name.casefold()]
    if alike:
        return list(dict.fromkeys(alike))[:MAX_SIMILAR]
    lanes = await lanes_of(reader, [store_of(name)])
    lanes = lanes or await lanes_of(reader, await similar_stores(reader, store_of(name)))
    return difflib.get_close_matches(name, lanes, MAX_SIMILAR, CLOSE)


async def lanes_of(reader: RosterReader, stores: list[str]) -> list[str]:
    """Return the names of the first lanes of some stores."""
    pages = [await reader.lanes(store=store, limit=LOOKED_THROUGH) for store in stores]
    return [lane.client_name for page in pages for lane in page.clients]


async def similar_stores(reader: RosterReader, store: str) -> list[str]:
    """Return the stores whose names begin alike and differ by little."""
    beginning = store[: len(store) // 2]
    cursors = dict.fromkeys((beginning, beginning.upper(), beginning.lower()))
    found: dict[str, None] = {}
    for cursor in cursors:
        page = await reader.stores(cursor=cursor + DONE, limit=LOOKED_THROUGH)
        found |= dict.fromkeys(each.store for each in page.stores)
    folded = {each.casefold(): each for each in found}
    return [folded[each] for each in difflib.get_close_matches(store.casefold(), list(folded), MAX_SIMILAR, CLOSE)]


def did_you_mean(names: list[str]) -> str:
    """Return the names as the end of a sentence, or an empty string."""
    return f" Did you mean {' or '.join(names)}?" if names else ""
