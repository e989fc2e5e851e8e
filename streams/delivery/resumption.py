"""What a client that comes back is given, before anything live; pure, but for the clock that it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from streams.delivery.connection import Connection
from streams.delivery.handover import Handover, Waiting, without
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.coverage import Ingress
from streams.history.lookup import digest
from streams.history.messages import History
from streams.history.progress import Progress
from streams.history.replays import Marks, Replay
from streams.wire.clock import Clock

# Pods state once a second: other pods are asked where this one does not know that much.
SURE_SECONDS = 2.5
# Replays between two turns of the event loop, where a whole pod's clients come back at once.
SETTLED_AT_ONCE = 200


class Resumption:
    """Gives replays: at once, or once other pods have said what the client has already.

    `used` says whether anybody uses an ingress. All moments are monotonic seconds.
    """

    def __init__(
        self,
        registry: Registry,
        router: Router,
        history: History,
        handover: Handover,
        progress: Progress,
        proven: list[float],
        *,
        used: Callable[[Ingress], bool],
        clock: Clock,
    ) -> None:
        # Called when a client waits for what other pods say.
        self.on_due: Callable[[], None] = _ignore
        self._registry = registry
        self._router = router
        self._history = history
        self._handover = handover
        self._progress = progress
        # Recovery's own: up to when each ingress was heard.
        self._proven = proven
        self._used = used
        self._clock = clock
        registry.on_greeted = self.greeted
        registry.on_close = self.closed

    def greeted(self, connection: Connection) -> None:
        """Give a client that was just greeted what it asked for, before anything live."""
        now = self._clock.monotonic()
        connection.told = self._router.told
        connection.first_place = self._history.end
        wanted = connection.resume
        if wanted is None:
            self._router.retries.begin(connection)
            return
        name, event_id = connection.client_name, wanted.last_event_id
        if event_id is None:
            self._router.retries.begin(connection)
            self._give(connection, self._history.since(name, wanted.since_seconds or 0.0, now), None)
            return
        replay = self._after(name, event_id)
        self._router.retries.begin(connection, None if replay.in_doubt else event_id)
        if (replay.known and not replay.doubtful and not replay.in_doubt) or not self._history.may_hold(event_id):
            self._give(connection, replay, event_id)
            return
        self._registry.outbox.hold(connection, self._router.framing(connection))
        marks = not replay.known or replay.in_doubt or replay.apart_seconds > SURE_SECONDS
        self._handover.wait(connection, event_id, now, known=replay.known, marks=marks)
        self.on_due()

    def closed(self, connection: Connection) -> None:
        """Note that a stream ended here."""
        self._handover.ended(connection, self._clock.monotonic())

    def settle(self) -> bool:
        """Give their replays to some of the clients whose wait is over; say whether others may be left.

        Call it often while any waits.
        """
        settled = self._handover.settled(self._clock.monotonic(), SETTLED_AT_ONCE)
        for waiting in settled:
            if waiting.connection.close_reason is None:
                try:
                    self._release(waiting)
                except Exception:
                    self._registry.fail(waiting.connection)
        return len(settled) == SETTLED_AT_ONCE

    def marks_of(self, name: str, event_id: str, given: bool) -> Marks | None:
        """Return, for each ingress, up to when whoever read an event has everything, as far as this pod knows.

        `given` says whether the client was written the event here.
        """
        published_after, proven = self._progress.published_after, (self._proven[0], self._proven[1])
        return self._history.marks_of(
            name, event_id, self._heard_elsewhere, published_after, given=given, proven=proven
        )

    def _after(self, name: str, event_id: str, marks: Marks | None = None) -> Replay:
        now = self._clock.monotonic()
        progress = self._progress
        return self._history.after(
            name,
            event_id,
            now,
            self._heard_elsewhere,
            progress.published_after,
            progress.trusted_until,
            marks,
            given=self._handover.gave(name, event_id, now),
            proven=(self._proven[0], self._proven[1]),
        )

    def _heard_elsewhere(self, ingress: Ingress, place: int | None, moment: float) -> float:
        return self._progress.heard_elsewhere(ingress, place, moment) if self._used(ingress) else moment

    def _give(self, connection: Connection, replay: Replay, last_event_id: str | None) -> None:
        connection.first_place = min(connection.first_place, replay.first)
        if replay.gap:
            self._registry.write(connection, self._router.gap_frame(connection, replay.gap, last_event_id))
        if replay.messages:
            self._registry.observer.replayed(connection, len(replay.messages))
            self._registry.outbox.replay(connection, replay.messages, self._router.framing(connection))

    def _release(self, waiting: Waiting) -> None:
        connection = waiting.connection
        replay = self._after(connection.client_name, waiting.event_id, waiting.marks)
        if not replay.known and waiting.marks is not None:
            now, trusted = self._clock.monotonic(), self._progress.trusted_until
            marks = trusted(waiting.marks[0]), trusted(waiting.marks[1])
            replay = self._history.after_unheard(connection.client_name, marks, now)
        messages = replay.messages
        if waiting.had is not None:
            digests = [digest(messages[number]) for number in replay.doubtful]
            had = waiting.had - self._not_replayed(connection.client_name, replay)
            messages = without(messages, replay.doubtful, digests, had)
        connection.told = self._router.told
        connection.first_place = min(connection.first_place, replay.first)
        self._router.retries.begin(connection, None if replay.in_doubt else waiting.event_id)
        notice = self._router.gap_frame(connection, replay.gap, waiting.event_id) if replay.gap else b""
        if messages:
            self._registry.observer.replayed(connection, len(messages))
        self._registry.outbox.release(connection, notice, messages)

    def _not_replayed(self, name: str, replay: Replay) -> Counter[str]:
        """Count the copies of doubtful messages that are in the history and not in the replay.

        Where a message was published again, what another pod had is one of these first, which may have
        come before the client was there; whether the client has the copy in the replay, nobody says then.
        """
        doubtful = {replay.messages[number] for number in replay.doubtful}
        every = Counter(message for _, message in self._history.events_of(name, self._history.end))
        every.subtract(replay.messages)
        return Counter({digest(message): every[message] for message in doubtful if every[message] > 0})


def _ignore() -> None:
    pass
