"""What all ways in ask: who is this, and may they do this to this client."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

from streams.auth.decision import Decision, identify, permit
from streams.auth.keys import hmac_keys
from streams.auth.presented import present
from streams.auth.results import Result
from streams.auth.revocations import Revocations
from streams.auth.rights import Right
from streams.auth.tokens import Verifier, rules_of
from streams.conf.tokens import TokenSettings
from streams.locks.refusals import Refusals


class Mode(StrEnum):
    """What a lock does; `observe` lets everybody in, and counts whom `required` would refuse."""

    OFF = "off"
    OBSERVE = "observe"
    REQUIRED = "required"


class Locks:
    """Verifies what requests present, and counts the results. `wall` returns Unix time."""

    def __init__(self, conf: TokenSettings, wall: Callable[[], float] = time.time) -> None:
        self.streams, self.publishing = Mode(conf.stream_auth), Mode(conf.publish_auth)
        self.verifier = Verifier(hmac_keys(conf.token_secret), rules_of(conf))
        self.revocations = Revocations()
        # By how it was decided, and the mode of the lock.
        self.counts: Counter[tuple[Result, Mode]] = Counter()
        # Lanes that were asked for without the right token.
        self.refusals = Refusals()
        self._has_keys = conf.has_token_keys
        self._cookie = conf.token_cookie
        self._wall = wall

    def decide(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        query: bytes,
        right: Right,
        name: str,
        *,
        mode: Mode,
        origin_ok: bool = False,
    ) -> Decision:
        """Decide about a request, and count it; `origin_ok` says whether its page may use the cookie.

        Whether the decision is kept to is for the mode: off does not ask, and observe does not refuse.
        """
        presented = present(headers, query, self._cookie if origin_ok else "", origin_ok=origin_ok)
        now = self._wall()
        decision = permit(identify(presented, self.verifier, self.revocations, now), right, name)
        self.counts[decision.result, mode] += 1
        if right is Right.SUBSCRIBE:
            self.refusals.note(name, decision, now)
        return decision

    def count_publisher(self, decision: Decision | None) -> None:
        """Count how it was decided about one who publishes; nothing was presented where there is no decision."""
        self.counts[decision.result if decision is not None else Result.NONE, self.publishing] += 1

    def identify(self, headers: Iterable[tuple[bytes, bytes]], query: bytes) -> Decision:
        """Decide who a request is from by its header alone, as operators and back ends send it; nothing is counted.

        Without keys nobody is known, and what may be meant for another lock is not looked at.
        """
        if not self._has_keys:
            return Decision(Result.NONE)
        presented = present(headers, query, "", origin_ok=False)
        return identify(presented, self.verifier, self.revocations, self._wall())
