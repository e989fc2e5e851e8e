"""What a client that comes back is owed, and from where on: values."""

from __future__ import annotations

from typing import NamedTuple

from streams.history.coverage import Gap, Ingress

# For each ingress, a moment.
Marks = tuple[float, float]


class Replay(NamedTuple):
    """The messages for a client that comes back, oldest first, and what may be missing before or among them.

    `first` is the place of the oldest. `known` says whether the client's id is one that this pod has or had.
    `doubtful` names the messages that the client may have read before that id, as other pods may have heard
    them in another order: by up to `apart_seconds`, as far as this pod knows. `in_doubt` says that the id may be
    that of a copy which this pod missed.
    """

    messages: list[bytes]
    gap: Gap | None
    first: int
    known: bool = True
    doubtful: tuple[int, ...] = ()
    apart_seconds: float = 0.0
    in_doubt: bool = False


class Position(NamedTuple):
    """Up to where a client has read: to `read` on the ingress of its id's event, and to `heard` on the other one.

    `at` and `moment` are the index and the moment of the event. `twin` says that the other ingress has one
    with that id, `in_doubt` that it may be a copy of the one that was read.
    """

    at: int
    moment: float
    own: Ingress
    read: float
    heard: float
    twin: bool
    in_doubt: bool
