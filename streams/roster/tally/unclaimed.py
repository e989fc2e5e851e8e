"""Which events no pod delivered, as it follows from what pods claim; pure.

Every pod hears every event and knows only its own clients. So one pod at a time looks some seconds later who had
a stream. Moments are milliseconds by Redis' clock since 1970.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streams.roster.reading.held import Tallied, read_ended, read_entry
from streams.roster.reading.states import LIFE_MS, View
from streams.roster.tally.decisions import SETTLE_MS

# Each pod has said that it lives by then, and whom it has.
WAIT_MS = 8_000
# A pod that is silent has given up its clients by then; what is not known then never will be.
GIVE_UP_MS = 30_000
# Publishers try again, and use both ingresses, within so long.
COPIES_MS = 10_000
# What comes later was read anew, and another pod answered for it when it came.
LATE_MS = 5_000
QUIET_SECONDS = 60.0
# Clients that are named in the log at a time.
MAX_NAMED = 100


class Window(NamedTuple):
    """What this pod read between two moments: the events at places from `first` on and before `end`.

    On the channel none of it was published before `after`. A copy of one of them may be at a place from
    `copies_from` on.
    """

    since: int
    until: int
    after: int
    first: int
    end: int
    copies_from: int


class Windows:
    """The windows of the last seconds; close() one about once a second, then forget() or look at those that are due."""

    def __init__(self) -> None:
        self._windows: deque[Window] = deque()
        # Moments, and the places that the history had reached then.
        self._marks: deque[tuple[int, int]] = deque()
        self._after = 0

    def close(self, now: int, end: int, behind: int) -> None:
        """End a window at a moment, and begin the next; `behind` is how old what is read may be, in milliseconds."""
        if self._marks and now < self._marks[-1][0]:
            # Redis' clock was set back, or is another one's.
            self._windows.clear()
            self._marks.clear()
        if self._marks:
            since, first = self._marks[-1]
            while len(self._marks) > 1 and self._marks[1][0] <= since - COPIES_MS:
                self._marks.popleft()
            self._windows.append(Window(since, now, self._after, first, end, self._marks[0][1]))
        self._marks.append((now, end))
        self._after = now - behind

    def due(self) -> Window | None:
        """Return the oldest window where its time has come; done() takes it away."""
        if self._windows and self._windows[0].until <= self._marks[-1][0] - WAIT_MS:
            return self._windows[0]
        return None

    def forget(self) -> None:
        """Take away the windows that another pod looks at."""
        while (window := self.due()) is not None and self.is_over(window):
            self.done()

    def is_over(self, window: Window) -> bool:
        """Say whether what is not known of a window will never be."""
        return window.until <= self._marks[-1][0] - GIVE_UP_MS

    def done(self) -> None:
        self._windows.popleft()


class Claim(NamedTuple):
    """What the roster holds of a client: who has it, and how its last connection ended."""

    here: str | None
    seen: str | None


def is_settled(window: Window, view: View, tallied: Tallied, pods: int) -> bool:
    """Say whether the roster has all that pods claimed until the end of a window; `pods` are at least there."""
    beats = [beat.at for life, beat in view.pods.items() if view.alive(life)]
    # Otherwise pods go over to another Redis.
    settled = tallied.history is not None and tallied.coming is None
    return settled and len(beats) >= pods and min(beats, default=0) > window.until


def free_since(claim: Claim, view: View) -> int | None:
    """Return since when surely no pod that gives a sign of life had a client, None where one may have it."""
    ended = read_ended(claim.seen).at
    # Before, pods claimed in another Redis.
    since = max(ended, view.began + SETTLE_MS)
    if claim.here is None:
        return since
    entry = read_entry(claim.here)
    beat = view.pods.get(entry.life) if entry else None
    if entry is None or beat is None or view.alive(entry.life):
        return None
    return max(since, beat.at + LIFE_MS)


def count_unclaimed(came: Iterable[tuple[str, int]], free: Mapping[str, int], window: Window) -> Counter[str]:
    """Count the events of a window that no pod delivered, by client; `came` has the moment of each."""
    return Counter(
        name
        for name, moment in came
        if moment >= window.since - LATE_MS and min(moment, window.after) > free.get(name, moment)
    )


class Named:
    """What the log says of clients for whom events came to nobody: of each once a minute, and not of too many.

    Moments are monotonic seconds.
    """

    def __init__(self) -> None:
        # Until when nothing more is said, and the events meanwhile.
        self._quiet: dict[str, tuple[float, int]] = {}

    def due(self, counts: Mapping[str, int], now: float) -> list[tuple[str, int]]:
        """Return what is to be said now, clients and events; those for whom there is no room are all named ""."""
        waiting = {name: count for name, (until, count) in self._quiet.items() if until <= now}
        for name in waiting:
            del self._quiet[name]
        said: list[tuple[str, int]] = []
        rest = 0
        for name, count in (Counter(waiting) + Counter(counts)).items():
            if name in self._quiet:
                until, before = self._quiet[name]
                self._quiet[name] = (until, before + count)
            elif name and len(self._quiet) >= MAX_NAMED:
                rest += count
            else:
                said.append((name, count))
                self._quiet[name] = (now + QUIET_SECONDS, 0)
        return said + self.due({"": rest}, now) if rest else said
