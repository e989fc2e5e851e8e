"""Marks of what Redis lost, in a short stream beside the journal, for pods that start when nobody who knows is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streams.broker.journal.entries import Entry
from streams.history.coverage import Ingress
from streams.history.losses import Loss

MARKS_SUFFIX = ":lost"
# Before the name of a history that a replica began when it became the primary: pods have met it, and what it lacks
# is marked.
MET_INFIX = ":met:"
MARKS_KEPT = 16


def mark(loss: Loss, now: float) -> dict[str, str]:
    """Return the fields of a mark that is set now: how many seconds ago what was published may have been lost."""
    return {
        "ingress": loss.ingress.name.lower(),
        "since": f"{now - loss.since:.3f}",
        "until": f"{now - loss.until:.3f}",
    }


def read_marks(entries: Iterable[Entry], moment: Callable[[bytes], float]) -> list[Loss]:
    """Read marks; `moment` says when the one with an id was set. What cannot be read is of another version."""
    losses: list[Loss] = []
    for entry_id, fields in entries:
        try:
            ingress = Ingress[fields[b"ingress"].decode().upper()]
            since, until = float(fields[b"since"]), float(fields[b"until"])
        except (KeyError, ValueError):
            continue
        losses.append(Loss(ingress, moment(entry_id) - since, moment(entry_id) - until))
    return losses
