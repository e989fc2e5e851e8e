"""What all ways in ask: who is this, and may they do this to this client."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

from streams.auth.decision import UNSURE, Decision, identify, permit
from streams.auth.keys import hmac_keys
from streams.auth.presented import Presented, present
from streams.auth.results import Result
from streams.auth.revocations import Revocations
from streams.auth.rights import Right
from streams.auth.tokens import Verifier, rules_of
from streams.conf.tokens import TokenSettings
from streams.locks.unwelcome import UnwelcomeLanes


class Mode(StrEnum):
    """What a lock does; `observe` lets everybody in, and counts whom `required` would refuse."""

    OFF = "off"
    OBSERVE = "observe"
    REQUIRED = "required"


class Locks:
    """Verifies what requests present, and counts the results. `wall` returns Unix time.

    Its keys are the secrets; KeySources adds those that are public.
    """

    def __init__(self, conf: TokenSettings, wall: Callable[[], float] = time.time) -> None:
        self.streams, self.publishing = Mode(conf.stream_auth), Mode(conf.publish_auth)
        # Called for each token that names a key that is not there.
        self.on_unknown_kid: Callable[[], None] = _ignore
        # Whether no token can be believed yet; whoever fills keys and revocations sets it.
        self.unsure: Callable[[], bool] = bool
        self.verifier = Verifier(
            hmac_keys(conf.token_secret), rules_of(conf), on_unknown_kid=lambda: self.on_unknown_kid()
        )
        # A clock that is ahead may have issued a token so much later, and it is taken so long behind its end.
        self.revocations = Revocations(late_seconds=2 * conf.token_leeway_seconds)
        self.unwelcome = UnwelcomeLanes(refused=self.streams is Mode.REQUIRED, wall=wall)
        # By how it was decided, and the mode of the lock.
        self.counts: Counter[tuple[Result, Mode]] = Counter()
        self._has_keys = conf.has_token_keys
        self._cookie = conf.token_cookie
        self._wall = wall

    @property
    def modes(self) -> set[Mode]:
        """Return how those locks work that are not off."""
        return {self.streams, self.publishing} - {Mode.OFF}

    def decide(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        query: bytes,
        right: Right,
        name: str,
        *,
        mode: Mode,
        origin_ok: bool | None = None,
    ) -> Decision:
        """Decide about a request, and count it.

        `origin_ok` says whether its page may use the cookie, and None that no cookie is read here. Whether the
        decision is kept to is for the mode: off does not ask, and observe does not refuse.
        """
        cookie_name = "" if origin_ok is None else self._cookie
        presented = present(headers, query, cookie_name, origin_ok=bool(origin_ok))
        decision = permit(self._identify(presented), right, name)
        self._count(decision, mode)
        return decision

    def count_publisher(self, decision: Decision | None) -> None:
        """Count how it was decided about one who publishes; nothing was presented where there is no decision."""
        self._count(decision or Decision(Result.NONE), self.publishing)

    def identify(self, headers: Iterable[tuple[bytes, bytes]], query: bytes) -> Decision:
        """Decide who a request is from by its header alone, as operators and back ends send it; nothing is counted.

        Without keys nobody is known, and what may be meant for another lock is not looked at.
        """
        if not self._has_keys:
            return Decision(Result.NONE)
        presented = present(headers, query, "", origin_ok=False)
        return self._identify(presented)

    def _count(self, decision: Decision, mode: Mode) -> None:
        # What the pod does not know yet is no fault of a token.
        if not decision.unsure:
            self.counts[decision.result, mode] += 1

    def _identify(self, presented: Presented) -> Decision:
        if presented.token and self.unsure():
            return UNSURE
        return identify(presented, self.verifier, self.revocations, self._wall())


def _ignore() -> None:
    pass
