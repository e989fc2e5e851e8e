"""Whether the lanes of the whole cluster are fine, in words; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dashboard.cluster.words import short, since, store_label
from dashboard.content import formats
from dashboard.content.formats import counted, named
from dashboard.content.verdict import Verdict
from streams.roster.keys import store_of
from streams.roster.lives import Heard
from streams.roster.reading.lanes import Lane, Store, Totals

STORES_NAMED = 5


def judge_cluster(
    totals: Totals, alive: Sequence[Heard], missing: Sequence[Lane], dark: Sequence[Store], now: str
) -> Verdict:
    """Say how the cluster is.

    `missing` are the first missing lanes in the order of their stores and `dark` the first dark stores, of which
    `totals` has all.
    """
    everybody = f"{counted(totals.connected, 'client')} on {counted(len(alive), 'pod')}"
    notices = list(_notices(totals, alive, dark))
    if not any(heard.says.state == "ready" for heard in alive):
        return Verdict("bad", f"No pod takes clients. {everybody}.", notices)
    wrong = [*_missing(totals, missing, now), *_unheard(totals), *_not_ready(alive)]
    if wrong:
        return Verdict("warning", f"{everybody}; {'; '.join(wrong)}.", notices)
    if not totals.connected:
        return Verdict("good", f"Ready: no client is connected to {counted(len(alive), 'pod')} yet.", notices)
    return Verdict("good", f"All is well: {everybody}, and no lane is missing.", notices)


def _missing(totals: Totals, missing: Sequence[Lane], now: str) -> Iterator[str]:
    if not missing:
        if totals.missing:
            yield f"{counted(totals.missing, 'lane')} missing"
        return
    store = store_of(missing[0].client_name)
    lanes = [lane for lane in missing if store_of(lane.client_name) == store]
    moments = [lane.missing_since for lane in lanes if lane.missing_since]
    when = f" since {since(min(moments), now)}" if moments else ""
    names = named([short(lane.client_name) for lane in lanes])
    said = f"{store} misses {names}{when}" if store else f"{names} missing{when}"
    more_lanes, more_stores = totals.missing - len(lanes), totals.partial_stores - 1
    if more_lanes > 0 and more_stores > 0:
        verb = "misses" if more_stores == 1 else "miss"
        said += f", and {counted(more_stores, 'more store')} {verb} {counted(more_lanes, 'lane')}"
    yield said


def _unheard(totals: Totals) -> Iterator[str]:
    if totals.unknown:
        yield f"{counted(totals.unknown, 'client')} unknown, whose pod is not heard"


def _not_ready(alive: Sequence[Heard]) -> Iterator[str]:
    names = [heard.says.pod_name for heard in alive if heard.says.state == "not-ready"]
    if names:
        yield f"{named(names)} {'takes' if len(names) == 1 else 'take'} no clients"


def _notices(totals: Totals, alive: Sequence[Heard], dark: Sequence[Store]) -> Iterator[str]:
    for name, count in Counter(heard.says.pod_name for heard in alive).items():
        if count > 1:
            yield f"{formats.count(count)} pods call themselves {name}: set POD_NAME, each pod's own."
    draining = [heard.says.pod_name for heard in alive if heard.says.state == "draining"]
    if draining:
        yield f"Draining, so that its clients go to other pods: {named(draining)}."
    versions = Counter(heard.says.version for heard in alive)
    if len(versions) > 1:
        said = ", ".join(f"{version} on {counted(count, 'pod')}" for version, count in sorted(versions.items()))
        yield f"Pods of several versions run: {said}."
    if totals.dark_stores:
        names = [store_label(store.store) for store in dark[:STORES_NAMED]]
        more = totals.dark_stores - len(names)
        tail = f" and {formats.count(more)} more" if names and more > 0 else ""
        whose = f": {', '.join(names)}{tail}" if names else ""
        yield f"{counted(totals.dark_stores, 'store')} dark, all lanes away as at night or without a line{whose}."
