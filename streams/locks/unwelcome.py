"""The lanes whose streams are refused, or would be: what there is to look at before `required`."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.auth.results import Result
from streams.roster.tracing.limits import Limit

logger = logging.getLogger("sse.auth")

# A fleet's worth; anybody can make names up.
MAX_KEPT = 20_000
LOG_SECONDS = 60.0
# Of all lanes together: a key that is changed too early has a whole fleet refused.
MAX_LINES = 100
LINES = "lines"


class Unwelcome(NamedTuple):
    """A lane that has no right to its stream, when it last asked (Unix time), and how often since its last good token.

    The address and what the client calls itself are from outside.
    """

    client_name: str
    result: Result
    sentence: str
    at: float
    times: int
    address: str
    user_agent: str


class UnwelcomeLanes:
    """Keeps the last refusal of each lane, and writes a line for each lane once a minute at most.

    Of all lanes together it writes MAX_LINES a minute. Whoever owns it calls look() every second: a burst ends with
    the number of lines that were left out.
    """

    def __init__(
        self,
        *,
        refused: bool,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        max_kept: int = MAX_KEPT,
    ) -> None:
        self._did = "was refused its stream" if refused else "would be refused its stream by STREAM_AUTH=required"
        self._wall, self._monotonic, self._max_kept = wall, monotonic, max_kept
        # The longest silent first, with the moment from which a line is due again.
        self._lanes: OrderedDict[str, tuple[Unwelcome, float]] = OrderedDict()
        self._lines = Limit(MAX_LINES, LOG_SECONDS)

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Unwelcome]:
        """Give all of them, the last that asked first."""
        return iter([lane for lane, _due in reversed(self._lanes.values())])

    def note(self, name: str, result: Result, sentence: str, address: str, user_agent: str) -> Unwelcome:
        """Note that a lane asked for its stream without a right to it; return what is known of it."""
        before, due = self._lanes.pop(name, (None, 0.0))
        times = 1 if before is None else before.times + 1
        lane = Unwelcome(name, result, sentence, self._wall(), times, address, user_agent)
        now = self._monotonic()
        # Another reason is news.
        if before is None or before.result is not result or now >= due:
            due = now + LOG_SECONDS
            if self._lines.takes(LINES):
                self._write(lane)
        self._lanes[name] = (lane, due)
        if len(self._lanes) > self._max_kept:
            self._lanes.popitem(last=False)
        return lane

    def look(self) -> None:
        """Say how many lines were left out of the last minute, where there were too many."""
        for _lines, count in self._lines.begin_anew(self._monotonic()):
            text = "%d line(s) more like these were left out within a minute; the page of tokens lists the lanes"
            logger.warning(text, count)

    def forget(self, name: str) -> None:
        """Note that a lane has shown a good token."""
        self._lanes.pop(name, None)

    def _write(self, lane: Unwelcome) -> None:
        facts = {"clientName": lane.client_name, "address": lane.address, "userAgent": lane.user_agent}
        logger.warning(
            *("%s %s (%s): %s", lane.client_name, self._did, lane.result, lane.sentence),
            extra={"fields": facts | {"reason": lane.result.value}},
        )
