"""Faults of the past, put back one at a time: the simulation has to find each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from math import inf
from typing import Any
from unittest import mock

from streams.broker.journal.cursor import JournalCursor
from streams.broker.journal.entries import Taken
from streams.broker.side import Side
from streams.delivery.connection import Connection
from streams.delivery.recovery import Recovery
from streams.delivery.resumption import Resumption
from streams.history.coverage import Ingress
from streams.history.losses import RedisLosses
from streams.history.messages import History
from streams.history.progress import Progress
from streams.history.retries import Retries
from streams.roster.claims import Claims, Said
from streams.wire.events import Event
from tests.simulation.links.roster import RosterLink
from tests.support import roster_model


@contextlib.contextmanager
def one_position_for_both() -> Iterator[None]:
    """F3: an id is taken for a position on both ingresses."""
    with mock.patch.object(Resumption, "_heard_elsewhere", lambda _self, _ingress, _place, moment: moment):
        yield


@contextlib.contextmanager
def moment_of_reading() -> Iterator[None]:
    """F4: an entry that is read late counts as published when it was read."""
    with mock.patch.object(JournalCursor, "_moment", lambda _self, _entry_id, now, *_, **__: now):
        yield


@contextlib.contextmanager
def told_by_its_end() -> Iterator[None]:
    """F5: a gap of the channel that ended later is taken to hold what the journal lost."""
    miss = Recovery.miss

    def swallowed(self: Recovery, ingress: Ingress, since: float) -> None:
        told = self._history.coverage[Ingress.CHANNEL].missed_until
        if ingress is Ingress.JOURNAL and told > since:
            self.proven[ingress] = self._clock.monotonic()
        else:
            miss(self, ingress, since)

    with mock.patch.object(Recovery, "miss", swallowed):
        yield


@contextlib.contextmanager
def telling_is_cancelled() -> Iterator[None]:
    """F6: what is left of a telling goes with the next outage, and clients have no mark of their own."""
    miss, disconnected = Recovery.miss, Recovery.disconnected
    noted: dict[Recovery, list[Any]] = {}

    def forgets(self: Recovery) -> None:
        for connection in noted.pop(self, []):
            connection.told = self._router.told
        disconnected(self)

    def notes(self: Recovery, ingress: Ingress, since: float) -> None:
        miss(self, ingress, since)
        noted[self] = list(self._registry)

    with (
        mock.patch.object(Recovery, "disconnected", forgets),
        mock.patch.object(Recovery, "miss", notes),
    ):
        yield


@contextlib.contextmanager
def empty_answer_proves() -> Iterator[None]:
    """F7: an empty answer proves that nothing came, whether or not the position is held."""
    took = JournalCursor.took

    def proves(self: JournalCursor, entries: Any, held: bool, *times: float) -> Taken:
        return took(self, entries, held or not entries, *times)

    with mock.patch.object(JournalCursor, "took", proves):
        yield


@contextlib.contextmanager
def never_begins_anew() -> Iterator[None]:
    """F8: a journal that was begun anew with lower ids is asked for higher ones for ever, and nothing is said."""
    took = JournalCursor.took

    def stays(self: JournalCursor, entries: Any, held: bool, *times: float) -> Taken:
        return took(self, entries, held or not entries, *times)

    with (
        mock.patch.object(JournalCursor, "took", stays),
        mock.patch.object(JournalCursor, "relocated"),
    ):
        yield


@contextlib.contextmanager
def nothing_read_nothing_lost() -> Iterator[None]:
    """F9: where nothing was ever read, another Redis has lost nothing."""
    connected = JournalCursor.connected

    def trusts(self: JournalCursor, *facts: Any) -> float | None:
        since = connected(self, *facts)
        return since if self._position is not None else None

    with mock.patch.object(JournalCursor, "connected", trusts):
        yield


@contextlib.contextmanager
def newest_of_an_id() -> Iterator[None]:
    """F11: of two events with one id the newer is taken for the one that was read."""
    find = History._find

    def newest(self: History, indexes: list[int], event_id: str) -> int | None:
        found = find(self, indexes[::-1], event_id)
        return None if found is None else len(indexes) - 1 - found

    with mock.patch.object(History, "_find", newest):
        yield


@contextlib.contextmanager
def known_is_given() -> Iterator[None]:
    """A message that this pod remembers is taken for one that the client was given."""

    def remembered(self: Retries, connection: Connection, event: Event, message: bytes, *_: Any) -> bool:
        return any(copy == message for _, copy in self._history.with_id(connection.client_name, event.event_id))

    with mock.patch.object(Retries, "is_repeated", remembered):
        yield


@contextlib.contextmanager
def role_is_never_asked() -> Iterator[None]:
    """A demoted primary is as good as any."""
    # A claim that a replica refuses would show it too.
    with mock.patch.object(Side, "checked", return_value=""), mock.patch.object(RosterLink, "connect"):
        yield


@contextlib.contextmanager
def given_from_its_first_place() -> Iterator[None]:
    """A connection is taken to have been given all that was heard before it opened."""
    begin = Retries.begin

    def sooner(self: Retries, connection: Connection, last_event_id: str | None = None) -> None:
        begin(self, connection, last_event_id)
        connection.live_from = 0

    with mock.patch.object(Retries, "begin", sooner):
        yield


@contextlib.contextmanager
def role_is_all_that_is_asked() -> Iterator[None]:
    """Whoever says that it is a primary is the only one."""
    with mock.patch.object(Side, "_parted_at", return_value=inf):
        yield


@contextlib.contextmanager
def retries_are_events() -> Iterator[None]:
    """A message that comes again is written again."""
    with (
        mock.patch.object(Retries, "is_repeated", return_value=False),
        mock.patch.object(Retries, "is_replayed_again", return_value=False),
    ):
        yield


@contextlib.contextmanager
def order_proves_all() -> Iterator[None]:
    """An id is a position, whoever wrote its event."""
    with mock.patch.object(Progress, "trusted_until", lambda _self, moment: moment):
        yield


@contextlib.contextmanager
def losses_are_not_said() -> Iterator[None]:
    """A pod that starts behind a failover knows what it reads, and nothing of what was lost before."""
    with (
        mock.patch.object(RedisLosses, "take", return_value=[]),
        mock.patch.object(JournalCursor, "lost_before", return_value=[]),
    ):
        yield


@contextlib.contextmanager
def copies_are_first_copies() -> Iterator[None]:
    """Whatever this pod missed, an id that it has is of the event that the client has read."""
    with mock.patch.object(History, "_first_copy", lambda _self, _own, moment, _marks: moment):
        yield


@contextlib.contextmanager
def twins_are_not_thought_of() -> Iterator[None]:
    """An id that this pod read on one ingress was read there by the client, too."""
    with mock.patch.object(History, "_may_have_twin", return_value=False):
        yield


@contextlib.contextmanager
def last_claim_counts() -> Iterator[None]:
    """Whoever claims a name last has it, however old its connection is."""

    def lines(_self: Claims, batch: list[Said], _now: float) -> str:
        parts = [(said.kind, said.connection) for said in batch]
        return "".join(f"{kind} {one.client_name} {one.number} {one.close_reason or 0}\n" for kind, one in parts)

    with mock.patch.object(Claims, "lines", lines), mock.patch.object(roster_model, "WAITED_MS", -1):
        yield


@contextlib.contextmanager
def claims_do_not_wait() -> Iterator[None]:
    """A claim that waited in Redis is taken for as young as it was when it was sent."""
    with mock.patch.object(roster_model, "WAITED_MS", -1):
        yield


@contextlib.contextmanager
def claimed_once() -> Iterator[None]:
    """Nothing is claimed again, and a message that got lost is lost."""
    with mock.patch.object(Claims, "look"):
        yield


@contextlib.contextmanager
def lost_is_kept() -> Iterator[None]:
    """A pod that hears that its connection is the older one keeps it."""
    with mock.patch.object(Claims, "_lose"):
        yield


ROSTER_MUTANTS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "last-claim": last_claim_counts,
    "no-waiting": claims_do_not_wait,
    "claimed-once": claimed_once,
    "lost-is-kept": lost_is_kept,
}
MUTANTS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "F3": one_position_for_both,
    "F4": moment_of_reading,
    "F5": told_by_its_end,
    "F6": telling_is_cancelled,
    "F7": empty_answer_proves,
    "F8": never_begins_anew,
    "F9": nothing_read_nothing_lost,
    "F11": newest_of_an_id,
    "known is given": known_is_given,
    "given from the first": given_from_its_first_place,
    "retries are events": retries_are_events,
    "never-asked": role_is_never_asked,
    "role-alone": role_is_all_that_is_asked,
    "order-proves": order_proves_all,
    "losses-unsaid": losses_are_not_said,
    "copies": copies_are_first_copies,
    "twins": twins_are_not_thought_of,
}
