"""Who may have missed what, and who is told: pure, but for the clock that it is given.

What is lost is noted once, and each client told what may be missing after its own marks, before it is written to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from math import inf

from streams.delivery.handover import Handover
from streams.delivery.registry import Registry
from streams.delivery.resumption import Resumption
from streams.delivery.router import Router
from streams.delivery.telling import Telling
from streams.history.coverage import CHANNEL, Ingress
from streams.history.losses import Loss, RedisLosses
from streams.history.messages import History
from streams.history.progress import MAX_LAG_SECONDS, NAMED_SECONDS, Progress
from streams.logs import Sparingly
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.pods import Answer, PodMessage, Question, Statement

logger = logging.getLogger("sse.redis")


class Recovery:
    """One pod's account of what it heard, for each ingress, and its clients' part in it.

    `proven` is, for each ingress, the moment before which everything published was heard or is told as
    missing; moments are monotonic seconds. A third of its attributes are the rooms that it stands between:
    what is heard has to be noted, told and written in one step.
    """

    def __init__(
        self, registry: Registry, router: Router, history: History, *, life: str, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        now = clock.monotonic()
        self.life = life
        self.proven = [now, now]
        # The same without what was only told: by the canary, and by the journal's answers.
        self.proved_at = [now, now]
        self._lag_due = Sparingly(clock=clock.monotonic)
        # Whether anybody uses the channel: where nobody does, a lost subscription lost nothing.
        self.channel_used = True
        self.progress = Progress()
        self.progress.note_proof(0, now)
        self.losses = RedisLosses(history.seconds)
        self.handover = Handover(life, history, lambda *asked: self.resumption.marks_of(*asked))
        self.resumption = Resumption(
            registry, router, history, self.handover, self.progress, self.proven, used=self._used, clock=clock
        )
        self.telling = Telling(registry, router)
        self._registry = registry
        self._router = router
        self._history = history
        self._clock = clock
        # When it last did not hear both ingresses, before its start or in an outage; no end before the start is over.
        self._away = (-inf, inf)
        self._subscribed_at = now
        # Since when the channel is not heard, until that is told.
        self._disconnected_since: float | None = None

    # What is heard

    def subscribed(self) -> None:
        """Note that the channel is heard from now on."""
        now = self._subscribed_at = self._clock.monotonic()
        # What was published before may still be under way: only a canary proves more.
        self.proved_at[Ingress.CHANNEL] = max(self.proved_at[Ingress.CHANNEL], now)
        self.progress.listen(now)
        self.handover.outgoing.append(self.statement(self._registry.pod_name, asks=True))
        self.handover.listen(now)

    def _prove_channel(self, moment: float) -> None:
        self.proved_at[Ingress.CHANNEL] = max(self.proved_at[Ingress.CHANNEL], moment)
        # What was missed before it has to be told first.
        if self._disconnected_since is None:
            self.proven[Ingress.CHANNEL] = max(self.proven[Ingress.CHANNEL], moment)

    def disconnected(self) -> None:
        """Note that the channel is not heard any more; new clients wait for their greeting."""
        self._registry.subscribed = False
        if self._disconnected_since is None:
            # Not when Redis was last heard: what is read late has waited, and more may have been lost with the link.
            self._disconnected_since = self.proven[Ingress.CHANNEL]
            if self._started:
                self._away = (self._disconnected_since, self._away[1])

    def came_back(
        self, complete_since: float | None, lost_before: Iterable[Loss] = (), *, from_the_first: bool = False
    ) -> None:
        """Note that both ingresses are heard again, and whatever was missed meanwhile.

        `complete_since` is since when the journal was read, at the pod's start; None without a journal. `lost_before`
        is what Redis may have lost before that, `from_the_first` whether the journal has all that it ever had.
        """
        started, self._away = self._started, (self._away[0], self._clock.monotonic())
        if not started:
            self._disconnected_since = None
            self._prove_channel(self.proved_at[Ingress.CHANNEL])
            self._begin(complete_since)
            self._trust_journal(from_the_first)
            for loss in lost_before:
                # What came since then it hears itself.
                self._note_before(loss.before(self._subscribed_at))
        self._end_outage()
        self.telling.greet()

    def _begin(self, complete_since: float | None) -> None:
        channel, journal = self._history.coverage
        channel.heard_since = self._subscribed_at
        if complete_since is None:
            # There is nothing to hear, and so nothing to miss.
            journal.heard_since = -inf
            self.proven[Ingress.JOURNAL] = self.proved_at[Ingress.JOURNAL] = inf
        else:
            journal.heard_since = complete_since
            if not self.channel_used:
                channel.heard_since = complete_since
        # Nobody was greeted before; what was missed until now concerns only who comes back.
        marks = [max(coverage.heard_since, coverage.missed_until) for coverage in (channel, journal)]
        self._router.told = (marks[0], marks[1])

    def _end_outage(self) -> None:
        """Note what the channel missed, before anything is written behind it."""
        since, self._disconnected_since = self._disconnected_since, None
        if since is not None and self.channel_used:
            self.miss(Ingress.CHANNEL, since)
        self._prove_channel(self.proved_at[Ingress.CHANNEL])

    def _used(self, ingress: Ingress) -> bool:
        return self.channel_used if ingress is Ingress.CHANNEL else self.proven[ingress] != inf

    def take_channel(self, messages: list[bytes]) -> None:
        """Deliver what was read from the channel."""
        self.channel_used = True
        if (self._disconnected_since is not None or self.proved_at[0] > self.proven[0]) and self._started:
            self._end_outage()
        # For each read of events, so it is looked here already whether there is anything to name.
        if self._clock.monotonic() - self.proved_at[1] > MAX_LAG_SECONDS:
            self._name_lag(Ingress.JOURNAL)
        names = self._router.route(messages, CHANNEL)
        if self.handover.waits:
            self.handover.heard(names)

    def take_journal(self, messages: list[bytes], moments: list[float], unsure_since: float | None = None) -> None:
        """Deliver what was read from the journal, with the moments at which Redis took it.

        Whatever has a moment of `unsure_since` or later may have been taken at any since then.
        """
        self._history.note_unsure(unsure_since, self._clock.monotonic())
        self._name_lag(Ingress.CHANNEL)
        self.handover.heard(self._router.route(messages, Ingress.JOURNAL, moments))

    def prove_journal(self, moment: float, oldest: tuple[int, int] | None = None, early: float = 0.0) -> None:
        """Note that all that the journal took before a moment was read, or was called lost.

        `oldest` is the id of the first entry of all that were read, `early` by how many seconds their moments may be.
        """
        self._history.note_early(early, self._clock.monotonic())
        self.progress.journal_oldest = oldest
        self.proved_at[Ingress.JOURNAL] = moment
        self.proven[Ingress.JOURNAL] = max(self.proven[Ingress.JOURNAL], moment)

    def take_past(self, messages: list[bytes], moments: list[float], unsure_since: float | None = None) -> None:
        """Remember what was in the journal before this pod was there; no open stream waits for it."""
        self._history.note_unsure(unsure_since, self._clock.monotonic())
        self._router.remember(messages, moments)

    def take_pod_messages(self, messages: list[PodMessage]) -> None:
        """Take in what pods say to each other, this one included."""
        for message in messages:
            if isinstance(message, Statement):
                self._stated(message)
            elif isinstance(message, Question):
                connection = self._registry.get(message.client_name)
                self.handover.asked(message, connection, self._clock.monotonic())
            elif isinstance(message, Answer):
                self.handover.answered(message, self._clock.monotonic())

    def statement(self, pod_name: str, *, asks: bool = False) -> Statement:
        """Return what this pod can say of itself now; `asks` whether all others are to do so too."""
        now, (channel, journal) = self._clock.monotonic(), self.proven
        slow, lost = self.progress.slow_seconds, self.losses.ages(now)
        ages = (max(0.0, now - channel) + slow, max(0.0, now - journal) + slow)
        subscribed = now - self._subscribed_at, max(0.0, now - self.proved_at[Ingress.CHANNEL]) + slow
        return Statement(self.life, pod_name, now, ages, self.progress.journal_oldest, asks, lost, subscribed)

    def _stated(self, statement: Statement) -> None:
        now, place = self._clock.monotonic(), self._history.end
        if statement.life == self.life:
            if statement.sent > self.proved_at[Ingress.CHANNEL]:
                self._prove_channel(statement.sent)
                self.progress.note_proof(place, statement.sent)
                self.handover.ask_again(now)
            channel, journal = self.proven if self._started else self.proved_at
            subscribed = self._subscribed_at, self.proved_at[Ingress.CHANNEL]
            self.progress.note_own(self.life, place, now, (channel, journal), subscribed)
        else:
            if statement.asks:
                self.handover.state(self.statement(self._registry.pod_name))
            made = self.progress.made(statement.life, now, apart := now - statement.sent)
            self._take_losses(self.losses.take(statement.lost, made, now, self._away))
            self.progress.note(statement.life, place, now, statement.ages, apart, statement.subscribed)
        self.progress.note_oldest(statement.journal_oldest)
        self._trust_journal(self._history.coverage[Ingress.JOURNAL].from_the_first)

    def _trust_journal(self, from_the_first: bool) -> None:
        """Believe that a journal has all that was ever added to it, unless another pod read earlier entries."""
        self._history.coverage[Ingress.JOURNAL].from_the_first = from_the_first and not self.progress.earlier_read

    @property
    def _started(self) -> bool:
        return self._away[1] < inf

    @property
    def heard_itself(self) -> bool:
        """Say whether what this pod published since it subscribed has come back: whoever serves has spoken."""
        return self.proved_at[Ingress.CHANNEL] > self._subscribed_at

    def counted(self, pods: int, answer_seconds: float) -> None:
        """Note how many pods heard this one's last canary, as Redis says, and how long it took to say so."""
        self.handover.pods = pods
        self.progress.count(pods, self._clock.monotonic(), answer_seconds)

    # What was missed

    def miss(self, ingress: Ingress, since: float) -> None:
        """Note that what was published on an ingress from a moment until now may be lost, and tell all clients."""
        self._miss(ingress, since)
        self.telling.begin()

    def _miss(self, ingress: Ingress, since: float) -> None:
        now = self._clock.monotonic()
        self._history.coverage[ingress].miss(since, now)
        self.proven[ingress] = max(now, self.proven[ingress])
        marks = list(self._router.told)
        marks[ingress] = now
        self._router.told = (marks[0], marks[1])

    def journal_lost(self, since: float) -> None:
        """Note that the journal lost what it took from a moment on; tell all clients, and pods that start since."""
        self.losses.found(Loss(Ingress.JOURNAL, since, self._clock.monotonic()))
        self.miss(Ingress.JOURNAL, since)

    def _take_losses(self, losses: list[Loss]) -> None:
        """Note what Redis lost before this pod was there, and tell the clients that came back to it since."""
        for loss in losses:
            self._note_before(loss)
            marks = (loss.since, inf) if loss.ingress is Ingress.CHANNEL else (inf, loss.since)
            self.telling.reach_back(marks, who_came_back=True)
        if losses:
            self.telling.begin()

    def _note_before(self, loss: Loss) -> None:
        self.losses.know(loss)
        self._history.coverage[loss.ingress].miss(loss.since, loss.until)
        if loss.ingress is Ingress.CHANNEL:
            self.progress.distrust(loss.since, loss.until)

    def distrust(self, since: float) -> None:
        """Note that another Redis than the pod was connected to may have been the primary from a moment on."""
        now = self._clock.monotonic()
        self.progress.distrust(since, now)
        for ingress in Ingress:
            self.losses.found(Loss(ingress, since, now))
        if not self._started:
            for coverage in self._history.coverage:
                coverage.miss(since, now)
            return
        channel, journal = self._history.coverage
        marks = max(since, channel.heard_since), max(since, journal.heard_since)
        untold = list(self.proven)
        if self._disconnected_since is not None:
            untold[Ingress.CHANNEL], self._disconnected_since = self._disconnected_since, now
        for ingress in Ingress:
            if self._used(ingress):
                self.miss(ingress, min(marks[ingress], untold[ingress]))
        self.telling.reach_back(marks)

    def _name_lag(self, ingress: Ingress) -> None:
        """Tell of an ingress that is not heard, or had no proof for too long, before more of the other is written.

        Only those who are written to are told. Other pods rely on it: they look no further back for what one lacks.
        """
        now, since = self._clock.monotonic(), self.proven[ingress]
        silent_seconds = now - self.proved_at[ingress]
        disconnected = ingress is Ingress.CHANNEL and self._disconnected_since is not None
        allowed_seconds = 0.0 if disconnected else MAX_LAG_SECONDS
        if not self._started or silent_seconds <= allowed_seconds or now - since < NAMED_SECONDS:
            return
        if ingress is Ingress.JOURNAL or self.channel_used:
            if times := self._lag_due.due():
                text = "For %.0f s nothing has proved that the %s is heard; clients are told (times: %d)."
                logger.error(text, silent_seconds, ingress.name.lower(), times)
            self._miss(ingress, since)
            if disconnected:
                self._disconnected_since = now
