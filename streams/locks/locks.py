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
        decision = permit(identify(presented, self.verifier, self.revocations, self._wall()), right, name)
        self.counts[decision.result, mode] += 1
        return decision
