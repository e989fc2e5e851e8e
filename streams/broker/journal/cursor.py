"""Where a pod is in the journal, and what each answer of Redis proves or loses; pure.

https://redis.io/docs/latest/commands/xread/
"""

from __future__ import annotations

from math import inf

from streams.broker.journal.clock import CLOCK_OFF_SECONDS, CLOCK_STEP_SECONDS, RedisClock
from streams.broker.journal.entries import EVENT_FIELD, Entry, Facts, Read, Taken, entry_parts
from streams.broker.journal.marks import read_marks
from streams.history.coverage import Ingress
from streams.history.losses import Loss

# One read takes about so many bytes at the most; the entries' size is known from the last reads.
READ_BYTES = 8 * 1024 * 1024
MIN_READ_COUNT = 16
MAX_READ_COUNT = 256
BLOCK_MS = 1_000
# Redis rounds its uptime down to a second.
UPTIME_SECONDS = 1.0
# Ids that were read, to find the place again in a journal that lost its end.
IDS_KEPT = 4096

# Waking up costs Redis and a pod more than an entry does. An answer that came so soon is followed by
# others, and these are read together after a pause.
AT_ONCE_SECONDS = 0.02
PAUSE_SECONDS = 0.005


class JournalCursor:
    """The position in one journal, and up to when every entry before it has been read.

    Call connected() with what Redis says at each connect, then next_read() and took() in turn.
    Its many attributes are one state: where it reads, what is proved, and which Redis that was.
    """

    def __init__(self, history_seconds: float, now: float) -> None:
        self.read = 0
        self.caught_up = False
        # Everything that Redis took before this moment has been read, or was called lost.
        self.proven_at = now
        # Entries behind the position were added after this moment.
        self._unread_since = -inf
        # Since when every entry has been read, once caught up: the journal may be younger than the history,
        # and whether it never had other entries than those that it has.
        self.complete_since, self.from_the_first = now, False
        # The id of the last entry that was read, or None before the first.
        self._position: bytes | None = None
        # Where reading began: Redis' time at the first connect, less the history's length.
        self._beginning = b""
        self._history_seconds = history_seconds
        # The ids of what was read last, with hashes of the messages: after a failover an id may be another's.
        self._ids: dict[bytes, int] = {}
        self._rereading = False
        self._count = MIN_READ_COUNT
        self._clock = RedisClock()
        # How long to wait before the next read.
        self.pause_seconds = 0.0
        # How far Redis' clock was ahead before the last connect, while entries are unread since.
        self._ahead_before = -inf
        # The last id's milliseconds, and the moment that they were taken for.
        self._last_moment = (0, now)
        self._unsure_since: float | None = None
        # The id of the first entry that was read.
        self.oldest: tuple[int, int] | None = None
        self._marked: list[Loss] = []
        # By how much moments may be too early, as its clock was set back by little, or the last answer was late.
        self.early_seconds = 0.0
        # By how much they are taken for earlier, as the last answer was late.
        self._hidden_seconds = 0.0
        # Redis' own id for its process, which tells a restart from a mere lost link.
        self._run_id = ""
        # When it started at the latest, and when it had taken the last entry that it kept from before.
        self._redis_started, self._kept_until, self._kept = now, -inf, False

    def connected(self, facts: Facts, asked: float, answered: float) -> float | None:
        """Take in what Redis says at a connect; return since when entries may be lost, or None."""
        redis_time = facts.time
        if self._run_id:
            self._ahead_before = self._clock.ahead_seconds
        self._clock.set(redis_time, asked, answered)
        if not self._beginning:
            self._redis_started = -inf if facts.durable else answered - facts.uptime
            self._beginning = b"%d-0" % max(0, int(1000 * (redis_time - self._history_seconds)))
        before, self._run_id = self._run_id, facts.run_id
        if self._position is None:
            # Nothing was ever read, so nothing shows whether entries came and went meanwhile.
            if not before:
                return None
            self._beginning = b"0-0"
            lost_since, self.proven_at = self.proven_at, max(self.proven_at, asked)
            return lost_since
        if facts.held and (before == facts.run_id or facts.durable):
            # While the last entry is there, so are those after it: a journal is trimmed from its beginning.
            return None
        # Another Redis may lack what this one took last, though it has the entry that was read last.
        lost_since, self.proven_at = self.proven_at, max(self.proven_at, asked)
        if facts.held:
            return lost_since
        if before != facts.run_id and facts.newest is not None:
            # A journal that lost its end still has entries that were read; those are not read again.
            self._position = min(self._position, facts.newest, key=entry_parts)
        else:
            self.relocated(facts.newest)
        return lost_since

    def next_read(self) -> Read:
        """Return the next question."""
        after = self._position or self._beginning
        held = self._position or b""
        block_ms = BLOCK_MS if self.caught_up else None
        return Read(after, self._count, block_ms, held or b"-", held or b"+")

    def holds(self, found: list[Entry]) -> bool:
        """Say whether what the range of next_read() found is what is looked for, and not another with its id."""
        # A journal that is deleted may give the last id again in the same millisecond.
        known = self._ids.get(self._position) if self._position else None
        return bool(found) and (not known or known == hash(found[0][1].get(EVENT_FIELD, b"")))

    def read_less(self) -> None:
        """Ask for one entry next, as what was asked for is too large."""
        self._count = 1

    def took(self, entries: list[Entry], held: bool, redis_time: float, asked: float, answered: float) -> Taken:
        """Take in the answer to next_read().

        `held` is what holds() says of its range, `redis_time` Redis' clock behind both, in Unix seconds.
        """
        behind = self._clock.behind_seconds(redis_time, answered)
        # Where it was set back by more, moments are taken from the read before.
        self.early_seconds = 0.0 if self._clock.is_step(behind, asked, answered) else behind
        self._clock.compare(redis_time, asked, answered)
        self._hidden_seconds = self._clock.hidden_seconds(redis_time, asked, answered)
        self.early_seconds = max(self.early_seconds, self._hidden_seconds)
        # While the one before is there, none between it and those that were read can be gone.
        lost = self._position is not None and not held
        count, past, proven_before = self._count, not self.caught_up, self.proven_at
        unread = self._unread(entries) if self._rereading else entries
        messages = [fields.get(EVENT_FIELD, b"") for _id, fields in unread]
        self._unsure_since = None
        # At a start a long past is read at once, in which most that have one number behind the other came together.
        earlier = -1 if past else self._last_moment[0]
        moments = [self._moment(entry_id, answered, earlier, behind=behind > 0) for entry_id, _fields in unread]
        if past:
            # Surely from before; one of the second in which it started may be from before.
            kept = [moment for moment in moments if moment < self._redis_started - UPTIME_SECONDS]
            self._kept_until = max(kept, default=self._kept_until)
            self._kept = self._kept or any(moment < self._redis_started for moment in moments)
        if lost and self._position is not None:
            # Whatever has its id by now was not read.
            self._ids[self._position] = 0
        if entries:
            self._advance(entries, messages)
        full = len(entries) >= count
        self._rereading = self._rereading and full
        self._ahead_before = self._ahead_before if full else -inf
        busy = self.caught_up and bool(entries) and not full and answered - asked < AT_ONCE_SECONDS
        self.pause_seconds = PAUSE_SECONDS if busy else 0.0
        if lost or not full:
            # What is lost is told up to now.
            self.proven_at = max(self.proven_at, asked)
        if not full and not (lost and not entries):
            self._unread_since = max(self._unread_since, asked)
        if entries:
            self._prove_up_to(entries, answered)
        self.caught_up = self.caught_up or not full
        lost_since = proven_before if lost else None
        return Taken(messages, moments, past, lost_since, lost and not entries, self._unsure_since)

    def relocated(self, newest: bytes | None) -> None:
        """Find the place again in a journal that does not hold it; `newest` is the id of its last entry.

        One that goes on behind it is read on. One that lost its end still has entries that were read,
        and those are not read again. One that was begun anew with lower ids is read from its beginning.
        """
        position = self._position
        if newest is not None and position is not None and entry_parts(newest) > entry_parts(position):
            return
        if newest not in self._ids:
            newest, self._beginning, self._rereading = None, b"0-0", True
        self._position = newest

    def _unread(self, entries: list[Entry]) -> list[Entry]:
        """Leave out entries that were read before; the journal that has them lost its end, or another one went on."""
        return [entry for entry in entries if self._ids.get(entry[0]) != hash(entry[1].get(EVENT_FIELD, b""))]

    def begins_at(
        self, first: bytes | None, newest: bytes | None, now: float, *, intact: bool, marks: list[Entry], met: bool
    ) -> None:
        """Note where the journal begins, once caught up: what it has is all read.

        `first` is the id of its first entry, `newest` of its last. `intact` is whether it has all that was
        ever added to it, `marks` are those of its losses; where no pod has `met` a replica that became the
        primary, nobody knows since when it is, nor what it lacks.
        """
        oldest = now - self._history_seconds
        marked = [
            loss if loss.until <= now else loss._replace(since=oldest) for loss in read_marks(marks, self._redis_moment)
        ]
        self._marked = [loss._replace(until=min(loss.until, now)) for loss in marked if loss.until > oldest]
        self._marked += [] if met else [Loss(ingress, oldest, now) for ingress in Ingress]
        self.from_the_first = intact and not self._marked
        if self._position is None and newest is None:
            # The next one comes first, whatever Redis' clock says then.
            self._beginning = b"0-0"
        elif self._position is None and newest is not None and entry_parts(newest) < entry_parts(self._beginning):
            # Older than the history is long.
            self._position = newest
            self._ids[newest] = 0
        self.complete_since = max(oldest, min(now, self._redis_moment(first))) if first else now

    def lost_before(self) -> list[Loss]:
        """Return what Redis may have lost before this pod's start: at a restart, or as marked by other pods."""
        if not self._kept or self._redis_started <= self.complete_since:
            return self._marked
        since = max(self.complete_since, self._kept_until)
        return [*self._marked, Loss(Ingress.JOURNAL, since, self._redis_started)]

    @property
    def position(self) -> bytes | None:
        return self._position

    def _advance(self, entries: list[Entry], messages: list[bytes]) -> None:
        self._position = entries[-1][0]
        self.oldest = self.oldest or entry_parts(entries[0][0])
        for entry_id, fields in entries:
            self._ids[entry_id] = hash(fields.get(EVENT_FIELD, b""))
        while len(self._ids) > IDS_KEPT:
            del self._ids[next(iter(self._ids))]
        self.read += len(entries)
        # A full read may be followed by one twice as long, where the entries are small.
        full = len(entries) >= self._count
        largest = max(map(len, messages), default=1) or 1
        wanted = self._count * 2 if full else max(MIN_READ_COUNT, 2 * len(entries))
        self._count = max(1, min(wanted, MAX_READ_COUNT, READ_BYTES // largest))

    def _prove_up_to(self, entries: list[Entry], answered: float) -> None:
        # A clock that is behind the last id only counts on: no other number shows a time.
        timed = (entry_id for entry_id, _fields in reversed(entries) if entry_id.endswith(b"-0"))
        entry_id = next(timed, None)
        if entry_id is None:
            return
        # Those before it were read with it, or earlier.
        moment = self._redis_moment(entry_id) - max(self._clock.short_seconds, self._hidden_seconds)
        # A moment to come shows that Redis' clock was set back, and proves nothing.
        if self.caught_up and moment <= answered:
            self.proven_at = max(self.proven_at, moment)
            self._unread_since = max(self._unread_since, moment)

    def _moment(self, entry_id: bytes, now: float, earlier: int, *, behind: bool) -> float:
        """Return when Redis took an unread entry, in this process's seconds: rather too early than too late.

        An id that is off from the clock shows that the clock was set; then nothing is known but the read before.
        So may be one that counts on from an earlier read, whose last entry was of the millisecond `earlier`.
        """
        milliseconds, number = entry_parts(entry_id)
        moment = self._redis_moment(entry_id)
        counted_on = number > 0 and milliseconds == self._last_moment[0]
        if counted_on:
            # Of the same millisecond, or Redis' clock is behind and says nothing.
            moment = self._last_moment[1]
        late = milliseconds == earlier and moment < now - CLOCK_OFF_SECONDS
        off = not self._unread_since - CLOCK_OFF_SECONDS < moment < now + CLOCK_OFF_SECONDS
        off = off or (counted_on and (behind or late)) or self._is_set_back
        if moment > now + CLOCK_STEP_SECONDS:
            # Kept for a while, and older than anything that may be missing.
            moment = now - self._history_seconds * 0.9
        moment = min(max(self._unread_since, moment - self._hidden_seconds), now)
        # What counts on from it may be no younger than it is now.
        self._last_moment = (milliseconds, moment)
        if off:
            self._unsure_since = moment if self._unsure_since is None else min(self._unsure_since, moment)
        return moment

    def _redis_moment(self, entry_id: bytes) -> float:
        # What is unread may be from before Redis' clock was set back.
        return entry_parts(entry_id)[0] / 1000 - max(self._ahead_before, self._clock.ahead_seconds)

    @property
    def _is_set_back(self) -> bool:
        return self._ahead_before > self._clock.ahead_seconds + CLOCK_OFF_SECONDS
